import { useSignal } from '@preact/signals';
import type { Answered } from '../../../client/index.ts';
import { call } from '../../data/api.ts';
import { download } from '../../data/download.ts';
import { formatNumber } from '../../data/format.ts';
import { useLoaded } from '../../data/load.ts';
import { undoRequest } from '../../data/undo.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Name } from '../../parts/name.tsx';
import { Bones, messageOf } from '../../parts/states.tsx';
import { say, sayFault } from '../../parts/toasts.tsx';
import { bulk } from '../../texts/bulk.ts';
import { texts } from '../../texts.ts';
import type { Account } from './types.ts';

/** The most accounts of a bulk change, as the service has it. */
const MOST = 1_000;

/** How many emails are listed before a bulk change. */
const NAMED = 5;

type Report = Answered<'POST /v1/users/bulk'>;

/** What can be done with many accounts, each with the change that the service is asked for. */
const ACTS = {
  suspend: { status: 'suspended' },
  restore: { status: 'active' },
  promote: { role: 'admin' },
  demote: { role: 'user' },
  delete: { delete: true },
} as const;
type Act = keyof typeof ACTS;
const NAMES = Object.keys(ACTS) as Act[];

/** Changes the selected accounts, all or none. */
export function BulkBar({
  accounts,
  onDone,
  onClear,
}: {
  accounts: readonly Account[];
  onDone: () => void;
  onClear: () => void;
}) {
  const asked = useSignal<Act | undefined>(undefined);
  const isTooMany = accounts.length > MOST;
  return (
    <section class="bulk" aria-label={bulk.label}>
      <strong aria-live="polite">{texts.accounts.selected(formatNumber(accounts.length))}</strong>
      <button type="button" class="button plain small" onClick={onClear}>
        <Icon name="cross" />
        <span class="unseen">{texts.accounts.unselect}</span>
      </button>
      {isTooMany && <span class="soft">{bulk.tooMany(formatNumber(MOST))}</span>}
      {NAMES.map((act) => (
        <button
          key={act}
          type="button"
          class={act === 'delete' ? 'button danger small' : 'button small'}
          disabled={isTooMany}
          onClick={() => {
            asked.value = act;
          }}
        >
          {bulk.acts[act]}
        </button>
      ))}
      <button type="button" class="button small" onClick={() => save(accounts)}>
        {bulk.export}
      </button>
      {asked.value && (
        <ConfirmBulk
          act={asked.value}
          accounts={accounts}
          onDone={onDone}
          onClose={() => {
            asked.value = undefined;
          }}
        />
      )}
    </section>
  );
}

function ConfirmBulk({
  act,
  accounts,
  onDone,
  onClose,
}: {
  act: Act;
  accounts: readonly Account[];
  onDone: () => void;
  onClose: () => void;
}) {
  const body = { ids: accounts.map(({ id }) => id), ...ACTS[act] };
  const preview = useLoaded(JSON.stringify(body), (signal) =>
    call('POST /v1/users/bulk', { body, query: { dryRun: 'true' }, signal }),
  );
  const run = async () => {
    const report = await call('POST /v1/users/bulk', { body, idempotencyKey: crypto.randomUUID() });
    say(bulk.done(count(report.changed)), {
      label: bulk.undo,
      run: () => undoAll(report).then(onDone, sayFault),
    });
    onDone();
  };
  return (
    <Confirm
      title={bulk.titles[act](count(accounts.length))}
      label={bulk.acts[act]}
      run={run}
      onClose={onClose}
    >
      <ul>
        {accounts.slice(0, NAMED).map(({ id, email }) => (
          <li key={id}>
            <Name text={email} />
          </li>
        ))}
        {accounts.length > NAMED && (
          <li class="soft">{bulk.andMore(formatNumber(accounts.length - NAMED))}</li>
        )}
      </ul>
      <p>{bulk.explained[act]}</p>
      {preview.data ? (
        <p class="note info" role="status">
          {bulk.preview(count(preview.data.wouldChange ?? 0))}{' '}
          {preview.data.unchanged > 0 && bulk.unchanged(formatNumber(preview.data.unchanged))}{' '}
          {preview.data.missing > 0 && bulk.missing(formatNumber(preview.data.missing))}
        </p>
      ) : preview.error === undefined ? (
        <Bones lines={1} />
      ) : (
        <p class="note bad" role="alert">
          <Icon name="warning" />
          {messageOf(preview.error)}
        </p>
      )}
    </Confirm>
  );
}

const count = (accounts: number) => bulk.accounts(accounts, formatNumber(accounts));

/** Takes back everything that the request of a report has changed. Throws what the service refuses. */
async function undoAll({ requestId }: Report): Promise<void> {
  const report = await undoRequest(requestId);
  if (report) say(bulk.undone(count(report.undone)));
}

/** Saves accounts as a file that the import accepts. */
function save(accounts: readonly Account[]): void {
  const lines = accounts.map((account) => `${JSON.stringify(account)}\n`);
  const url = URL.createObjectURL(new Blob(lines, { type: 'application/x-ndjson' }));
  download(url, 'accounts.ndjson');
  // The browser has it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
