import { useSignal } from '@preact/signals';
import { call } from '../../data/api.ts';
import { useLoaded } from '../../data/load.ts';
import { signOut } from '../../data/session.ts';
import { type SessionItem, SessionRow } from '../../parts/session-rows.tsx';
import { Pending } from '../../parts/states.tsx';
import { say, sayFault } from '../../parts/toasts.tsx';
import { meTexts } from '../../texts/me.ts';

const texts = meTexts.sessions;

/** Where I am signed in to the console. */
export function MySessions() {
  const { data, error, reload } = useLoaded('sessions', (signal) => call('GET /v1/me/sessions', { signal }));
  const busy = useSignal<number | undefined>(undefined);
  const end = async ({ id, isCurrent }: SessionItem) => {
    busy.value = id;
    try {
      if (isCurrent) await signOut();
      else {
        await call('DELETE /v1/me/sessions/:id', { params: { id: `${id}` } });
        say(texts.ended);
        reload();
      }
    } catch (fault) {
      sayFault(fault);
      reload();
    }
    busy.value = undefined;
  };
  return (
    <section class="box">
      <header>
        <h2>{texts.title}</h2>
      </header>
      {data ? (
        <ul class="items">
          {data.items.map((session) => (
            <SessionRow
              key={session.id}
              session={session}
              isBusy={busy.value === session.id}
              onEnd={() => end(session)}
            />
          ))}
        </ul>
      ) : (
        <Pending error={error} retry={reload} lines={3} />
      )}
    </section>
  );
}
