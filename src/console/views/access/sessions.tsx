import { useSignal } from '@preact/signals';
import type { Answered } from '../../../client/index.ts';
import { call } from '../../data/api.ts';
import { usePages } from '../../data/load.ts';
import { viewUrl } from '../../data/place.ts';
import { signOut } from '../../data/session.ts';
import { BoxEnd } from '../../parts/list-end.tsx';
import { Name } from '../../parts/name.tsx';
import { SessionRow } from '../../parts/session-rows.tsx';
import { Bones } from '../../parts/states.tsx';
import { say, sayFault } from '../../parts/toasts.tsx';
import { accessTexts } from '../../texts/access.ts';
import { meTexts } from '../../texts/me.ts';

const texts = accessTexts.sessions;

type Item = Answered<'GET /v1/sessions'>['items'][number];

/** Everybody who is signed in to the console. */
export function Sessions() {
  const pages = usePages('sessions', (cursor, signal) =>
    call('GET /v1/sessions', { query: { cursor, limit: '20' }, signal }),
  );
  const { items, isLoading, reload, edit } = pages;
  const busy = useSignal<number | undefined>(undefined);
  const end = async ({ id, isCurrent }: Item) => {
    busy.value = id;
    try {
      if (isCurrent) await signOut();
      else {
        await call('DELETE /v1/sessions/:id', { params: { id: `${id}` } });
        edit((all) => all.filter((one) => one.id !== id));
        say(meTexts.sessions.ended);
      }
    } catch (fault) {
      sayFault(fault);
      reload();
    }
    busy.value = undefined;
  };
  return (
    <section class="box" aria-labelledby="sessions-title" aria-busy={isLoading}>
      <header>
        <div>
          <h2 id="sessions-title">{texts.title}</h2>
          <p class="soft small-text">{texts.help}</p>
        </div>
      </header>
      {items.length > 0 && (
        <ul class="items">
          {items.map((session) => (
            <SessionRow
              key={session.id}
              session={session}
              who={
                <p>
                  <a href={viewUrl(`/accounts/${session.account.id}`)}>
                    <Name text={session.account.name ?? session.account.email} />
                  </a>{' '}
                  {session.account.name !== null && <Name text={session.account.email} isSoft />}
                </p>
              }
              isBusy={busy.value === session.id}
              onEnd={() => end(session)}
            />
          ))}
        </ul>
      )}
      {items.length === 0 && isLoading && (
        <div class="inside">
          <Bones lines={3} />
        </div>
      )}
      <BoxEnd pages={pages} more={texts.more} />
    </section>
  );
}
