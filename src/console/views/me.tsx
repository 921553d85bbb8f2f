import { call } from '../data/api.ts';
import { useLoaded } from '../data/load.ts';
import { isAdmin, me, session } from '../data/session.ts';
import { RoleBadge } from '../parts/badges.tsx';
import { Name } from '../parts/name.tsx';
import { Bones, Failed } from '../parts/states.tsx';
import { meTexts as texts } from '../texts/me.ts';
import { MyData } from './me/data.tsx';
import { Details } from './me/details.tsx';
import { MyHistory } from './me/history.tsx';
import { Preferences } from './me/preferences.tsx';
import type { Account } from './me/save.tsx';
import { MySessions } from './me/sessions.tsx';

/** One's own account, for everybody. */
export function MyAccount() {
  const {
    data: account,
    error,
    reload,
    replace,
  } = useLoaded('me', (signal) => call('GET /v1/me', { signal }));
  const show = (changed: Account) => {
    replace(changed);
    if (session.value) session.value = { ...session.value, account: changed };
  };
  // The session knows it before.
  const head = account ?? me.value;
  return (
    <>
      <header>
        <div>
          <h1>{texts.title}</h1>
          {head && (
            <p class="row">
              <Name text={head.email} isSoft />
              <RoleBadge role={head.role} until={head.roleUntil} as="moment" />
            </p>
          )}
        </div>
      </header>
      {!isAdmin.value && <p class="note info">{texts.notAdmin}</p>}
      {account ? (
        <div class="halves">
          <div class="stack">
            <Details account={account} onChange={show} />
            <Preferences account={account} onChange={show} />
            <MyData email={account.email} />
          </div>
          <div class="stack">
            <MySessions />
            <MyHistory version={account.version} />
          </div>
        </div>
      ) : error === undefined ? (
        <div class="halves">
          <div class="box inside-box">
            <Bones lines={24} />
          </div>
          <div class="box inside-box">
            <Bones lines={9} />
          </div>
        </div>
      ) : (
        <Failed error={error} retry={reload} />
      )}
    </>
  );
}
