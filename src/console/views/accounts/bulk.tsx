import { useSignal } from '@preact/signals';
import { useMemo, useRef, useState } from 'preact/hooks';
import { call } from '../../data/api.ts';
import { download } from '../../data/download.ts';
import { useDraft } from '../../data/drafts.ts';
import { formatNumber } from '../../data/format.ts';
import { useLoaded } from '../../data/load.ts';
import { lastReason } from '../../data/reason.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Name } from '../../parts/name.tsx';
import { Bones, messageOf } from '../../parts/states.tsx';
import { say, sayFault } from '../../parts/toasts.tsx';
import { askUndoRequest } from '../../parts/undo-request.tsx';
import { bulk } from '../../texts/bulk.ts';
import { texts } from '../../texts.ts';
import type { Account } from './types.ts';

/** The accounts of one step: the most that the service changes at once. */
const STEP = 1_000;

/** The most accounts that can be selected. */
export const MOST = 10_000;

/** How many emails are listed before a bulk change. */
const NAMED = 5;

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

/** Changes the selected accounts. */
export function BulkBar({
  accounts,
  others,
  onAll,
  onDone,
  onClear,
}: {
  accounts: readonly Account[];
  /** How many further ones the list has; as text, where not all of them can be selected. */
  others: { readonly text: string } | undefined;
  /** Selects these too. Throws what the service refuses. */
  onAll: () => Promise<void>;
  onDone: () => void;
  onClear: () => void;
}) {
  const asked = useSignal<Act | undefined>(undefined);
  const isLoading = useSignal(false);
  const selectAll = async () => {
    isLoading.value = true;
    await onAll().catch(sayFault);
    isLoading.value = false;
  };
  return (
    <section class="bulk" aria-label={bulk.label}>
      <strong aria-live="polite">{texts.accounts.selected(formatNumber(accounts.length))}</strong>
      <button type="button" class="button plain small" disabled={isLoading.value} onClick={onClear}>
        <Icon name="cross" />
        <span class="unseen">{texts.accounts.unselect}</span>
      </button>
      {others && (
        <button type="button" class="button small" disabled={isLoading.value} onClick={selectAll}>
          {isLoading.value ? texts.states.loading : others.text}
        </button>
      )}
      {NAMES.map((act) => (
        <button
          key={act}
          type="button"
          class={act === 'delete' ? 'button danger small' : 'button small'}
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
  accounts: selected,
  onDone,
  onClose,
}: {
  act: Act;
  accounts: readonly Account[];
  onDone: () => void;
  onClose: () => void;
}) {
  // Those that were asked about, whatever becomes of the list meanwhile.
  const [accounts] = useState(selected);
  const steps = useMemo(
    () => stepsOf(accounts.map(({ id }) => id)).map((ids) => ({ ids, ...ACTS[act] })),
    [],
  );
  const preview = useLoaded('', async (signal) => {
    const sum = { changes: 0, unchanged: 0, missing: 0 };
    for (const body of steps) {
      const report = await call('POST /v1/users/bulk', { body, query: { dryRun: 'true' }, signal });
      sum.changes += report.wouldChange ?? 0;
      sum.unchanged += report.unchanged;
      sum.missing += report.missing;
    }
    return sum;
  });
  // All steps are one request for the history: one undo takes all of it back. A step that is tried again is still the same.
  const requestId = useRef(crypto.randomUUID());
  const done = useSignal({ steps: 0, changed: 0 });
  const isRunning = useSignal(false);
  const isStopped = useRef(false);
  const run = async () => {
    isRunning.value = true;
    isStopped.current = false;
    try {
      for (const [place, body] of [...steps.entries()].slice(done.peek().steps)) {
        if (isStopped.current) break;
        const report = await call('POST /v1/users/bulk', {
          body,
          headers: { 'X-Request-Id': requestId.current },
          idempotencyKey: `${requestId.current}-${place}`,
          // Who was asked why is not asked again at each step.
          ...(place > 0 && lastReason.peek() !== '' && { reason: lastReason.peek() }),
        });
        done.value = { steps: place + 1, changed: done.peek().changed + report.changed };
      }
    } finally {
      isRunning.value = false;
    }
  };
  const close = () => {
    const { steps, changed } = done.peek();
    if (steps > 0) {
      say(
        bulk.done(count(changed)),
        changed === 0
          ? undefined
          : {
              label: bulk.undo,
              run: () => askUndoRequest(requestId.current, onDone),
            },
      );
      onDone();
    }
    onClose();
  };
  useDraft(isRunning.value);
  return (
    <Confirm
      title={bulk.titles[act](count(accounts.length))}
      label={bulk.acts[act]}
      run={run}
      onClose={close}
      {...(isRunning.value &&
        steps.length > 1 && {
          onStop: () => {
            isStopped.current = true;
          },
        })}
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
      {steps.length > 1 && <p class="soft">{bulk.steps(formatNumber(STEP))}</p>}
      {(isRunning.value || done.value.steps > 0) && steps.length > 1 ? (
        <div class="stack tight" role="status">
          <p>
            {bulk.progress(
              formatNumber(Math.min(done.value.steps * STEP, accounts.length)),
              formatNumber(accounts.length),
            )}
          </p>
          <progress aria-label={bulk.acts[act]} value={done.value.steps} max={steps.length} />
        </div>
      ) : preview.data ? (
        <p class="note info" role="status">
          {bulk.preview(count(preview.data.changes))}{' '}
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

/** Ids as many at once as the service takes. */
function stepsOf(ids: readonly number[]): readonly number[][] {
  return Array.from({ length: Math.ceil(ids.length / STEP) }, (_, step) =>
    ids.slice(step * STEP, (step + 1) * STEP),
  );
}

/** Saves accounts as a file that the import accepts. */
function save(accounts: readonly Account[]): void {
  const lines = accounts.map((account) => `${JSON.stringify(account)}\n`);
  const url = URL.createObjectURL(new Blob(lines, { type: 'application/x-ndjson' }));
  download(url, 'accounts.ndjson');
  // The browser has it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
