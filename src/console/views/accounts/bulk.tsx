import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { call, mayBeDone } from '../../data/api.ts';
import { download } from '../../data/download.ts';
import { useDraft } from '../../data/drafts.ts';
import { formatNumber } from '../../data/format.ts';
import { useLoaded } from '../../data/load.ts';
import { lastReason } from '../../data/reason.ts';
import { isAdmin, me } from '../../data/session.ts';
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
  const own = me.peek()?.id;
  const isOwnAmong = accounts.some(({ id }) => id === own);
  const steps = useMemo(() => {
    const ids = accounts.map(({ id }) => id).filter((id) => id !== own);
    // Whoever loses the right with the own account has changed the others by then.
    if (own !== undefined && isOwnAmong) ids.push(own);
    return stepsOf(ids).map((ids) => ({ ids, ...ACTS[act] }));
  }, []);
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
  /** Whether the step after those may be done too: its answer is missing. */
  const isUnsure = useSignal(false);
  const isRunning = useSignal(false);
  const isStopped = useRef(false);
  const running = useRef<Promise<void>>(undefined);
  const hasBegun = useComputed(() => done.value.steps > 0 || isUnsure.value);
  const takeSteps = async () => {
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
        isUnsure.value = false;
        done.value = { steps: place + 1, changed: done.peek().changed + report.changed };
      }
    } catch (error) {
      isUnsure.value ||= mayBeDone(error);
      throw error;
    } finally {
      isRunning.value = false;
    }
  };
  /** Says what is done, and offers to undo it. */
  const tell = () => {
    const { steps, changed } = done.peek();
    const rest = accounts.length - steps * STEP;
    const text = isUnsure.peek()
      ? bulk.unsure(changed, count(changed))
      : rest > 0
        ? bulk.stopped(count(changed), formatNumber(rest))
        : bulk.done(count(changed));
    if (changed === 0 && !isUnsure.peek()) say(text);
    else if (isAdmin.peek())
      say(text, { label: bulk.undo, run: () => askUndoRequest(requestId.current, onDone) });
    else sayFault(`${text} ${bulk.noAdmin(requestId.current)}`);
  };
  // However this goes from the screen: closed, left, or because the reader is no admin any more.
  useEffect(
    () => () => {
      isStopped.current = true;
      const tellBegun = () => hasBegun.peek() && tell();
      running.current?.then(tellBegun, tellBegun);
    },
    [],
  );
  useDraft(isRunning.value || hasBegun.value);
  return (
    <Confirm
      title={bulk.titles[act](count(accounts.length))}
      label={hasBegun.value && !isRunning.value ? bulk.goOn : bulk.acts[act]}
      {...(hasBegun.value && { cancel: texts.dialog.close })}
      run={() => {
        running.current = takeSteps();
        return running.current;
      }}
      onClose={() => {
        if (hasBegun.peek()) onDone();
        onClose();
      }}
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
      {isOwnAmong && <p class="note">{bulk.own}</p>}
      {steps.length > 1 && <p class="soft">{bulk.steps(formatNumber(STEP))}</p>}
      {!isRunning.value && isUnsure.value && <p>{bulk.mayBeDone}</p>}
      {(isRunning.value || hasBegun.value) && steps.length > 1 ? (
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
