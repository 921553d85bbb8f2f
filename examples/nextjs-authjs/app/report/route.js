import { whoAmI } from '../../rollcall.js';

/** For admins alone. The role is that of the account, never of the session. */
export async function GET() {
  const { account, refusal } = await whoAmI();
  if (refusal) return new Response(`${refusal.code}: ${refusal.message}`, { status: refusal.status });
  if (account.role !== 'admin') return new Response('This page is for admins.', { status: 403 });
  return new Response(`A report for ${account.email}`);
}
