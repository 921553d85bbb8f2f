import { useSignal } from '@preact/signals';
import type { Answered } from '../../client/index.ts';
import { call } from '../data/api.ts';
import { type DryRun, dryRun } from '../data/dry-run.ts';
import { useLoaded } from '../data/load.ts';
import { undoRequest } from '../data/undo.ts';
import { history } from '../texts/history.ts';
import { undoRequestTexts as texts } from '../texts/undo-request.ts';
import { texts as shared } from '../texts.ts';
import { AccountLink } from './account-link.tsx';
import { Dialog } from './dialog.tsx';
import { Diff, FieldName } from './diff.tsx';
import { Icon } from './icons.tsx';
import { Bones, Failed, messageOf } from './states.tsx';
import { say, sayFault } from './toasts.tsx';

type Report = Answered<'POST /v1/history/:id/undo-request'>;
type PreviewReport = DryRun & Omit<Report, 'changes'> & { readonly wouldUndo: number };

const ACTIONS = ['created', 'updated', 'deleted'] as const;

/** Asks before everything is undone that one request has changed: shows what that does, and what cannot be undone. */
export function UndoRequestDialog({
  changeId,
  onClose,
}: {
  /** Any of its changes. */
  changeId: number;
  onClose: () => void;
}) {
  const params = { id: `${changeId}` };
  // With `partial`, the report comes in any case, and not as a refusal.
  const preview = useLoaded(
    `${changeId}`,
    (signal) =>
      dryRun('POST /v1/history/:id/undo-request', {
        params,
        query: { partial: 'true' },
        signal,
      }) as Promise<PreviewReport>,
  );
  const isPartial = useSignal(false);
  const isBusy = useSignal(false);
  const fault = useSignal<unknown>(undefined);
  const { data, error } = preview;
  const count = data?.wouldUndo ?? 0;
  const isReady = data !== undefined && count > 0 && (data.skipped === 0 || isPartial.value);
  const run = async () => {
    isBusy.value = true;
    fault.value = undefined;
    try {
      const report = await call('POST /v1/history/:id/undo-request', {
        params,
        query: isPartial.value ? { partial: 'true' } : {},
        idempotencyKey: crypto.randomUUID(),
      });
      say(texts.done(report.undone), {
        label: history.undo,
        run: () =>
          undoRequest(report.requestId).then((again) => again && say(texts.done(again.undone)), sayFault),
      });
      onClose();
    } catch (thrown) {
      // What can be undone may have changed meanwhile.
      fault.value = thrown;
      isPartial.value = false;
      preview.reload();
    }
    isBusy.value = false;
  };
  return (
    <Dialog title={texts.title} onClose={onClose} mayClose={!isBusy.value} isWide>
      <div class="body">
        <h2>{texts.title}</h2>
        <p class="soft">{texts.text}</p>
        <div class="stack" aria-live="polite" aria-busy={preview.isLoading}>
          {data !== undefined ? (
            <Preview report={data} />
          ) : error !== undefined ? (
            <Failed error={error} retry={preview.reload} />
          ) : (
            <Bones lines={3} />
          )}
        </div>
        {fault.value !== undefined && (
          <p class="note bad" role="alert">
            <Icon name="warning" />
            {messageOf(fault.value)}
          </p>
        )}
        {data !== undefined && data.skipped > 0 && count > 0 && (
          <label class="row">
            <input
              type="checkbox"
              checked={isPartial.value}
              onChange={({ currentTarget }) => {
                isPartial.value = currentTarget.checked;
              }}
            />
            {texts.partial}
          </label>
        )}
        <div class="row end">
          <button type="button" class="button" disabled={isBusy.value} onClick={onClose}>
            {shared.dialog.cancel}
          </button>
          <button type="button" class="button primary" disabled={isBusy.value || !isReady} onClick={run}>
            <Icon name="undo" />
            {texts.run(count)}
          </button>
        </div>
      </div>
    </Dialog>
  );
}

function Preview({ report }: { report: PreviewReport }) {
  const { wouldUndo, actions, changes, skipped, skippedChanges } = report;
  return (
    <>
      {wouldUndo === 0 ? (
        <p>{texts.nothing}</p>
      ) : (
        <ul class="dots">
          {ACTIONS.filter((action) => actions[action] > 0).map((action) => (
            <li key={action}>{texts.will[action](actions[action])}</li>
          ))}
        </ul>
      )}
      {skipped > 0 && (
        <div class="note">
          <Icon name="warning" />
          <div class="stack tight">
            <p>{texts.skipped(skipped)}</p>
            <ul class="dots">
              {skippedChanges.map(({ id, userId, reason, fields }) => (
                <li key={id}>
                  <AccountLink id={userId} /> {texts.reasons[reason] ?? reason}
                  {fields.length > 0 && ': '}
                  {fields.map((field, index) => (
                    <span key={field}>
                      {index > 0 && ', '}
                      <FieldName path={field} />
                    </span>
                  ))}
                </li>
              ))}
            </ul>
            {skippedChanges.length < skipped && <p>{texts.first(skippedChanges.length)}</p>}
          </div>
        </div>
      )}
      {changes.length > 0 && (
        <details>
          <summary>{texts.changes(changes.length, wouldUndo)}</summary>
          <ul class="stack">
            {changes.map(({ userId, version, before, after }) => (
              <li key={`${userId} ${version}`}>
                <AccountLink id={userId} email={after?.email ?? before?.email} />
                <Diff before={before} after={after} limit={3} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
