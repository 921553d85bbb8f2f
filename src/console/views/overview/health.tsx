import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Answered } from '../../../client/index.ts';
import { call } from '../../data/api.ts';
import { formatNumber } from '../../data/format.ts';
import { isLive } from '../../data/live.ts';
import { useLoaded } from '../../data/load.ts';
import { viewUrl } from '../../data/place.ts';
import { Icon } from '../../parts/icons.tsx';
import { Bones, Failed } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { overviewTexts } from '../../texts/overview.ts';

const texts = overviewTexts.health;

type Status = Answered<'GET /v1/status'>;
type Webhook = Answered<'GET /v1/webhooks'>['items'][number];
type State = keyof typeof texts.states;

/** How often to look again, in milliseconds. */
const EVERY_MS = 30_000;

/** How old a change may be that the feed or a webhook still waits for, in seconds. */
const PATIENCE_S = 60;

/** Whether the service and what it depends on are well. */
export function Health() {
  const status = useLoaded('', (signal) => call('GET /v1/status', { signal }));
  const webhooks = useLoaded('', (signal) => call('GET /v1/webhooks', { signal }));
  const { reload } = status;
  const { reload: reloadWebhooks } = webhooks;
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState !== 'visible') return;
      reload();
      reloadWebhooks();
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [reload, reloadWebhooks]);
  const { data } = status;
  return (
    <section class="box health" aria-labelledby="health">
      <header>
        <h2 id="health">{texts.title}</h2>
        {data && (
          <span class="soft">
            {texts.version(data.version)}. {texts.since} <Time at={data.startedAt} />.
          </span>
        )}
      </header>
      {data === undefined && status.error !== undefined ? (
        <Failed error={status.error} retry={reload} />
      ) : data === undefined ? (
        <div class="inside">
          <Bones lines={5} />
        </div>
      ) : (
        <ul>
          <Service status={data} />
          <Webhooks items={webhooks.data?.items} />
        </ul>
      )}
    </section>
  );
}

function Service({ status: { pendingMigrations, feed, providers } }: { status: Status }) {
  return (
    <>
      <Line name={texts.migrations} state={pendingMigrations.length === 0 ? 'ok' : 'failing'}>
        {pendingMigrations.length === 0 ? texts.noneMissing : texts.missing(pendingMigrations.join(', '))}
      </Line>
      <Line
        name={texts.feed}
        state={feed.state === 'failing' ? 'failing' : feed.lagSeconds > PATIENCE_S ? 'degraded' : 'ok'}
      >
        {feed.state === 'failing'
          ? texts.feedFailing
          : feed.lagSeconds > PATIENCE_S
            ? texts.feedLag(formatNumber(Math.round(feed.lagSeconds)))
            : texts.feedOk}
      </Line>
      <Line name={texts.live} state={isLive.value ? 'ok' : 'degraded'}>
        {isLive.value ? texts.liveOn : texts.liveOff}
      </Line>
      {providers.length === 0 && (
        <Line name={texts.providers} state="ok">
          {texts.noProvider}
        </Line>
      )}
      {providers.map(({ issuer, state, at }) => (
        <Line key={issuer} name={texts.providers} detail={issuer} state={state}>
          {state === 'ok' && at !== null ? (
            <>
              {texts.providerOk} <Time at={at} as="age" />.
            </>
          ) : state === 'failing' ? (
            texts.providerFailing
          ) : (
            texts.providerUnknown
          )}
        </Line>
      ))}
    </>
  );
}

function Webhooks({ items = [] }: { items: readonly Webhook[] | undefined }) {
  if (items.length === 0) {
    return (
      <Line name={texts.webhooks} state="ok">
        {texts.noWebhook}
      </Line>
    );
  }
  return (
    <>
      {items.map(({ name, state, attempts, lastError, pendingSince }) => {
        const isBehind = pendingSince !== null && Date.now() - Date.parse(pendingSince) > PATIENCE_S * 1_000;
        const error = lastError ?? '';
        return (
          <Line
            key={name}
            name={texts.webhooks}
            detail={name}
            href={viewUrl('/access')}
            state={state === 'parked' ? 'failing' : state === 'retrying' || isBehind ? 'degraded' : 'ok'}
          >
            {state === 'parked' ? (
              texts.webhookParked(error)
            ) : state === 'retrying' ? (
              texts.webhookRetrying(attempts, error)
            ) : isBehind ? (
              <>
                {texts.webhookBehind} <Time at={pendingSince} />.
              </>
            ) : (
              texts.webhookOk
            )}
          </Line>
        );
      })}
    </>
  );
}

const LOOKS = {
  ok: { icon: 'check', badge: 'good' },
  degraded: { icon: 'warning', badge: 'warn' },
  failing: { icon: 'cross', badge: 'bad' },
  unknown: { icon: 'clock', badge: '' },
} as const;

/** How one thing is: by an icon and in words, not by a colour alone. */
function Line({
  name,
  detail,
  href,
  state,
  children,
}: {
  name: string;
  detail?: string;
  href?: string;
  state: State;
  children: ComponentChildren;
}) {
  return (
    <li>
      <span class={`badge ${LOOKS[state].badge}`}>
        <Icon name={LOOKS[state].icon} />
        {texts.states[state]}
      </span>
      <span class="name">
        {name} {detail !== undefined && <bdi>{href ? <a href={href}>{detail}</a> : detail}</bdi>}
      </span>
      <span class="soft">{children}</span>
    </li>
  );
}
