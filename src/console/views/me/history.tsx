import { call } from '../../data/api.ts';
import { usePages } from '../../data/load.ts';
import { me } from '../../data/session.ts';
import { actorText } from '../../parts/actor.tsx';
import { Diff } from '../../parts/diff.tsx';
import { BoxEnd } from '../../parts/list-end.tsx';
import { Reason } from '../../parts/reason.tsx';
import { Bones } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { meTexts } from '../../texts/me.ts';
import { texts as shared } from '../../texts.ts';

const texts = meTexts.history;

/** What has happened to my account, newest first. */
export function MyHistory({ version }: { version: number }) {
  const pages = usePages(`${version}`, (cursor, signal) =>
    call('GET /v1/me/history', { query: { cursor, limit: '10' }, signal }),
  );
  const { items, isLoading, error } = pages;
  return (
    <section class="box" aria-busy={isLoading}>
      <header>
        <div>
          <h2>{texts.title}</h2>
          <p class="soft small-text">{texts.help}</p>
        </div>
      </header>
      {items.length > 0 ? (
        <ol class="items">
          {items.map(({ id, at, action, actorId, actor, before, after, undoes, erasedAt, reason }) => (
            <li key={id} class="stack tight">
              <p class="row">
                <strong>{shared.actions[action]}</strong>
                <span>
                  {actorId !== null && actorId === me.value?.id ? (
                    texts.by(meTexts.you)
                  ) : (
                    <bdi>{texts.by(actorText(actor))}</bdi>
                  )}
                </span>
                {undoes !== null && <span class="badge">{texts.undoes}</span>}
                <span class="soft small-text">
                  <Time at={at} />
                </span>
              </p>
              {erasedAt === null ? (
                <Diff before={before} after={after} />
              ) : (
                <p class="soft">{texts.erased}</p>
              )}
              <Reason text={reason} />
            </li>
          ))}
        </ol>
      ) : isLoading ? (
        <div class="inside">
          <Bones lines={6} />
        </div>
      ) : (
        error === undefined && <p class="inside soft">{texts.empty}</p>
      )}
      <BoxEnd pages={pages} more={texts.more} />
    </section>
  );
}
