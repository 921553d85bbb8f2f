import { type KnownAccount, useAccountName } from '../data/account-names.ts';
import { viewUrl } from '../data/place.ts';
import { history } from '../texts/history.ts';
import { Name } from './name.tsx';

/** The way to an account, by its email: asked for where it is not known. An account that is gone is said to be. */
export function AccountLink({ id, email }: { id: number; email?: string | undefined }) {
  const known = useAccountName(email === undefined ? id : undefined);
  return (
    <>
      <a href={viewUrl(`/accounts/${id}`)}>
        <Name text={email ?? accountText(id, known)} />
      </a>
      {known?.state === 'deleted' && known.email !== undefined && (
        <span class="soft"> ({history.deleted})</span>
      )}
    </>
  );
}

/** What an account is called. */
export function accountText(id: number, known: KnownAccount | undefined): string {
  return known?.email ?? history.accounts[known?.state ?? 'present'](id);
}
