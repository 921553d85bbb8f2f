import { whoAmI } from '../rollcall.js';
import Theme from './theme.jsx';

export default async function Page() {
  const { account, refusal } = await whoAmI();
  if (refusal?.code === 'unauthenticated') return <a href="/api/auth/signin">Sign in</a>;
  return (
    <>
      <p>
        <strong>{account ? `${account.email}, ${account.role}` : refusal.message}</strong>{' '}
        <a href="/api/auth/signout">Sign out</a>
      </p>
      {account && <Theme />}
      {account?.role === 'admin' && <a href="/report">The report for admins</a>}
    </>
  );
}
