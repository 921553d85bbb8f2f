import { useSignal } from '@preact/signals';
import type { Answered } from '../../../client/index.ts';
import type { Account } from '../../data/account.ts';
import { call } from '../../data/api.ts';
import { useLoaded } from '../../data/load.ts';
import { actorText } from '../../parts/actor.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { Arrow } from '../../parts/icons.tsx';
import { Bones, Failed } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { say } from '../../parts/toasts.tsx';
import { account as all } from '../../texts/account.ts';

const texts = all.identities;

type Identity = Answered<'GET /v1/users/:id/identities'>['items'][number];

/** The sign-ins of an account at each issuer. */
export function Identities({ account: { id, email } }: { account: Account }) {
  const list = useLoaded(`${id}`, (signal) =>
    call('GET /v1/users/:id/identities', { params: { id: `${id}` }, signal }),
  );
  const chosen = useSignal<Identity | undefined>(undefined);
  const cut = chosen.value;
  return (
    <section class="box" aria-labelledby="identities">
      <header>
        <h2 id="identities">{texts.title}</h2>
      </header>
      {list.data === undefined ? (
        <div class="inside">
          {list.error === undefined ? <Bones lines={1} /> : <Failed error={list.error} retry={list.reload} />}
        </div>
      ) : list.data.items.length === 0 ? (
        <p class="inside soft">{texts.none}</p>
      ) : (
        <ul class="listed">
          {list.data.items.map((item) => (
            <li key={item.id}>
              <div>
                <p>
                  <bdi>{item.issuer}</bdi>
                </p>
                <p class="soft">
                  <bdi class="mono">{item.subject}</bdi> · <bdi>{item.email}</bdi>
                </p>
                <p class="soft">
                  {texts.seen} <Time at={item.firstSeenAt} as="day" /> –{' '}
                  <Time at={item.lastSeenAt} as="age" />
                </p>
              </div>
              {item.cutAt === null ? (
                <button
                  type="button"
                  class="button small danger"
                  aria-label={texts.cutOne(item.issuer)}
                  onClick={() => {
                    chosen.value = item;
                  }}
                >
                  {texts.cut}
                </button>
              ) : (
                <span class="badge bad" title={item.cutBy === null ? '' : actorText(item.cutBy)}>
                  {texts.isCut} <Time at={item.cutAt} as="age" />
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
      {cut !== undefined && (
        <Confirm
          title={texts.cutTitle}
          label={texts.cut}
          run={async () => {
            await call('DELETE /v1/users/:id/identities/:identityId', {
              params: { id: `${id}`, identityId: `${cut.id}` },
            });
            list.reload();
            say(texts.done);
          }}
          onClose={() => {
            chosen.value = undefined;
          }}
        >
          <p>
            <bdi>{cut.issuer}</bdi> · <bdi class="mono">{cut.subject}</bdi> <Arrow /> <bdi>{email}</bdi>
          </p>
          <p>{texts.cutText}</p>
        </Confirm>
      )}
    </section>
  );
}
