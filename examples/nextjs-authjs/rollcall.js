import { headers } from 'next/headers';
import { createClient, isProblem } from 'rollcall/client';

export const ROLLCALL_URL = process.env.ROLLCALL_URL ?? 'http://127.0.0.1:8000';

/** The account of whoever has sent this request, or the refusal. It goes by their session, which Rollcall checks. */
export async function whoAmI() {
  const cookie = (await headers()).get('cookie') ?? '';
  const client = createClient({ baseUrl: `${ROLLCALL_URL}/accounts`, headers: { cookie } });
  try {
    return { account: await client.me.get() };
  } catch (error) {
    if (!isProblem(error)) throw error;
    return { refusal: { status: error.status, code: error.code, message: error.message } };
  }
}
