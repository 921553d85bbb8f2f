import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Answered } from '../../../client/index.ts';
import { call } from '../../data/api.ts';
import { formatNumber } from '../../data/format.ts';
import { useLoaded } from '../../data/load.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Pending, State } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { say, sayFault } from '../../parts/toasts.tsx';
import { accessTexts } from '../../texts/access.ts';
import { texts as shared } from '../../texts.ts';

const texts = accessTexts.webhooks;

type Webhook = Answered<'GET /v1/webhooks'>['items'][number];

/** How often the status is read again, in milliseconds. */
const LOOK_EVERY_MS = 5_000;

/** The webhooks: how deliveries go, and what to do about those that fail. */
export function Webhooks() {
  const { data, error, reload } = useLoaded('webhooks', (signal) => call('GET /v1/webhooks', { signal }));
  useEffect(() => {
    const timer = setInterval(() => document.hidden || reload(), LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [reload]);
  return (
    <section class="box" aria-labelledby="webhooks-title">
      <header>
        <div>
          <h2 id="webhooks-title">{texts.title}</h2>
          <p class="soft small-text">{texts.help}</p>
        </div>
      </header>
      {data === undefined ? (
        <Pending error={error} retry={reload} />
      ) : data.items.length === 0 ? (
        <State icon="activity" title={texts.empty} isSmall>
          <p>{texts.emptyText}</p>
        </State>
      ) : (
        <ul class="items">
          {data.items.map((hook) => (
            <WebhookRow key={hook.name} hook={hook} onChange={reload} />
          ))}
        </ul>
      )}
    </section>
  );
}

const LOOKS = {
  active: ['good', 'check'],
  retrying: ['warn', 'clock'],
  parked: ['bad', 'warning'],
} as const;

function WebhookRow({ hook, onChange }: { hook: Webhook; onChange: () => void }) {
  const { name, url, state, failingChangeId, lastDeliveredAt, pendingSince, nextAttemptAt, lastError } = hook;
  const isBusy = useSignal(false);
  const isSkipping = useSignal(false);
  const isTesting = useSignal(false);
  const [look, icon] = LOOKS[state];
  const resume = async () => {
    isBusy.value = true;
    try {
      await call('POST /v1/webhooks/:name/resume', { params: { name } });
      say(texts.resumed(name));
      onChange();
    } catch (error) {
      sayFault(error);
    }
    isBusy.value = false;
  };
  const test = async () => {
    isTesting.value = true;
    try {
      const { accepted, reason, milliseconds } = await call('POST /v1/webhooks/:name/test', {
        params: { name },
      });
      if (accepted) say(texts.tested(name, formatNumber(milliseconds)));
      else sayFault(new Error(texts.testFailed(name, reason ?? '')));
    } catch (error) {
      sayFault(error);
    }
    isTesting.value = false;
  };
  return (
    <li class="item">
      <div class="stack tight grow">
        <p class="row">
          <strong>{name}</strong>
          <span class="soft">{url}</span>
          <span class={`badge ${look}`}>
            <Icon name={icon} />
            {texts.states[state]}
          </span>
        </p>
        <dl class="pairs small-text">
          <dt>{texts.sends}</dt>
          <dd>{filterText(hook)}</dd>
          <dt>{texts.lastDelivered}</dt>
          <dd>{lastDeliveredAt === null ? texts.never : <Time at={lastDeliveredAt} as="age" />}</dd>
          {failingChangeId !== null && (
            <>
              <dt>{texts.failing}</dt>
              <dd>
                {texts.change(`${failingChangeId}`)}{' '}
                {hook.attempts === 1 ? texts.attempt : texts.attempts(formatNumber(hook.attempts))}
                {hook.failingSince !== null && (
                  <>
                    , <Time at={hook.failingSince} as="age" />
                  </>
                )}
              </dd>
            </>
          )}
          {lastError !== null && (
            <>
              <dt>{texts.error}</dt>
              <dd>
                <code class="fault">{lastError}</code>
              </dd>
            </>
          )}
          {pendingSince !== null && (
            <>
              <dt>{texts.waiting}</dt>
              <dd>
                <Time at={pendingSince} />
              </dd>
            </>
          )}
          {nextAttemptAt !== null && (
            <>
              <dt>{texts.nextAttempt}</dt>
              <dd>
                <Time at={nextAttemptAt} as="age" />
              </dd>
            </>
          )}
        </dl>
      </div>
      <div class="row">
        <button type="button" class="button small" disabled={isTesting.value} onClick={test}>
          {isTesting.value ? texts.testing : texts.test}
        </button>
        {state !== 'active' && (
          <button type="button" class="button small" disabled={isBusy.value} onClick={resume}>
            {texts.resume}
          </button>
        )}
        {failingChangeId !== null && (
          <button
            type="button"
            class="button small danger"
            onClick={() => {
              isSkipping.value = true;
            }}
          >
            {texts.skip}
          </button>
        )}
      </div>
      {isSkipping.value && failingChangeId !== null && (
        <Confirm
          title={accessTexts.skipping.title}
          label={accessTexts.skipping.skip}
          onClose={() => {
            isSkipping.value = false;
          }}
          run={async () => {
            const query = { skip: `${failingChangeId}` };
            await call('POST /v1/webhooks/:name/resume', { params: { name }, query });
            say(accessTexts.skipping.done);
            onChange();
          }}
        >
          <p>{accessTexts.skipping.text(name, texts.change(`${failingChangeId}`))}</p>
        </Confirm>
      )}
    </li>
  );
}

/** Which changes a webhook is sent. */
function filterText({ actions, fields }: Webhook): string {
  if (actions === null && fields === null) return texts.all;
  const names = (actions ?? (['created', 'updated', 'deleted'] as const)).map((one) => texts.actions[one]);
  const list = new Intl.ListFormat(undefined, { style: 'narrow', type: 'conjunction' });
  const paths = fields?.map((field) => shared.fields[field] ?? field) ?? [];
  return list.format(names) + (paths.length > 0 ? ` (${list.format(paths)})` : '');
}
