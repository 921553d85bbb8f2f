import NextAuth from 'next-auth';
import Credentials from 'next-auth/providers/credentials';

// Your sign-in. In place of this form, which believes everybody, take GitHub, Google or any other provider of Auth.js.
const form = Credentials({
  credentials: { email: { label: 'Email', type: 'email' } },
  authorize: ({ email }) => ({ id: email, email }),
});

// It seals its sessions with AUTH_SECRET, and Rollcall opens them with the same.
export const { handlers } = NextAuth({ trustHost: true, providers: [form] });
