import { useSignal } from '@preact/signals';
import type { Answered } from '../../../client/index.ts';
import { call } from '../../data/api.ts';
import { useCommands } from '../../data/commands.ts';
import { formatDay, formatNumber } from '../../data/format.ts';
import { useLoaded } from '../../data/load.ts';
import { Actor } from '../../parts/actor.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Pending, State } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { say } from '../../parts/toasts.tsx';
import { accessTexts } from '../../texts/access.ts';
import { NewToken } from './new-token.tsx';

const texts = accessTexts.tokens;

type Token = Answered<'GET /v1/service-tokens'>['items'][number];

/** How long before its end a token is said to expire soon, in milliseconds. */
const SOON_MS = 14 * 86_400_000;

/** The service tokens: make, watch, revoke. */
export function Tokens() {
  const { data, error, reload } = useLoaded('tokens', (signal) => call('GET /v1/service-tokens', { signal }));
  const isCreating = useSignal(false);
  const areAllShown = useSignal(false);
  const revoked = useSignal<Token | undefined>(undefined);
  const create = () => {
    isCreating.value = true;
  };
  useCommands([{ icon: 'plus', label: texts.create, run: create }]);
  const items = data?.items ?? [];
  const ended = items.filter((token) => isEnded(token));
  const shown = areAllShown.value ? items : items.filter((token) => !isEnded(token));
  return (
    <section class="box" aria-labelledby="tokens-title">
      <header>
        <div>
          <h2 id="tokens-title">{texts.title}</h2>
          <p class="soft small-text">{texts.help}</p>
        </div>
        <button type="button" class="button primary" onClick={create}>
          <Icon name="plus" />
          {texts.create}
        </button>
      </header>
      {data === undefined ? (
        <Pending error={error} retry={reload} lines={3} />
      ) : items.length === 0 ? (
        <State icon="access" title={texts.empty} isSmall>
          <p>{texts.emptyText}</p>
        </State>
      ) : (
        <ul class="items">
          {shown.map((token) => (
            <TokenRow
              key={token.id}
              token={token}
              onRevoke={() => {
                revoked.value = token;
              }}
            />
          ))}
          {ended.length > 0 && (
            <li>
              <button
                type="button"
                class="button plain small"
                aria-expanded={areAllShown.value}
                onClick={() => {
                  areAllShown.value = !areAllShown.value;
                }}
              >
                {areAllShown.value ? texts.hideEnded : texts.showEnded(formatNumber(ended.length))}
              </button>
            </li>
          )}
        </ul>
      )}
      {isCreating.value && (
        <NewToken
          onCreated={reload}
          onClose={() => {
            isCreating.value = false;
          }}
        />
      )}
      {revoked.value && (
        <Revocation
          token={revoked.value}
          onDone={reload}
          onClose={() => {
            revoked.value = undefined;
          }}
        />
      )}
    </section>
  );
}

function isEnded({ revokedAt, expiresAt }: Token): boolean {
  return revokedAt !== null || (expiresAt !== null && Date.parse(expiresAt) <= Date.now());
}

function StateBadge({ token }: { token: Token }) {
  const { revokedAt, expiresAt } = token;
  if (revokedAt !== null) return <span class="badge bad">{texts.states.revoked}</span>;
  if (isEnded(token)) return <span class="badge">{texts.states.expired}</span>;
  if (expiresAt === null || Date.parse(expiresAt) > Date.now() + SOON_MS) return null;
  return (
    <span class="badge warn">
      <Icon name="clock" />
      {texts.states.soon}
    </span>
  );
}

function TokenRow({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
  const { name, scopes, createdAt, createdBy, lastUsedAt, expiresAt, revokedAt } = token;
  return (
    <li class="item">
      <div>
        <p class="row">
          <strong>
            <bdi>{name}</bdi>
          </strong>
          {scopes.map((scope) => (
            <code key={scope} class="badge" title={accessTexts.creation.scopeNames[scope].join(': ')}>
              {scope}
            </code>
          ))}
          <StateBadge token={token} />
        </p>
        <p class="soft small-text">
          {texts.created(formatDay(createdAt))} {texts.by} <Actor name={createdBy} />,{' '}
          {lastUsedAt === null ? (
            texts.unused
          ) : (
            <>
              {texts.used} <Time at={lastUsedAt} as="age" />
            </>
          )}
          ,{' '}
          {revokedAt !== null
            ? texts.revoked(formatDay(revokedAt))
            : expiresAt === null
              ? texts.neverExpires
              : texts.expires(formatDay(expiresAt))}
        </p>
      </div>
      {revokedAt === null && (
        <button
          type="button"
          class="button small danger"
          aria-label={texts.revokeThat(name)}
          onClick={onRevoke}
        >
          {texts.revoke}
        </button>
      )}
    </li>
  );
}

function Revocation({ token, onDone, onClose }: { token: Token; onDone: () => void; onClose: () => void }) {
  const { id, name, lastUsedAt } = token;
  const { title, text, used, final, revoke, done } = accessTexts.revocation;
  return (
    <Confirm
      title={title}
      label={revoke}
      onClose={onClose}
      run={async () => {
        await call('DELETE /v1/service-tokens/:id', { params: { id: `${id}` } });
        say(done(name));
        onDone();
      }}
    >
      <p>
        <bdi>{text(name)}</bdi>
      </p>
      {lastUsedAt !== null && (
        <p>
          {used} <Time at={lastUsedAt} as="age" />.
        </p>
      )}
      <p class="soft">{final}</p>
    </Confirm>
  );
}
