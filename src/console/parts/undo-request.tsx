import { signal, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { Problem } from '../../client/index.ts';
import { useLoaded } from '../data/load.ts';
import { previewUndoRequest, type RequestUndo, undoRequest } from '../data/undo.ts';
import { history } from '../texts/history.ts';
import { undoRequestTexts as texts } from '../texts/undo-request.ts';
import { texts as shared } from '../texts.ts';
import { AccountLink } from './account-link.tsx';
import { Dialog } from './dialog.tsx';
import { Diff, FieldName } from './diff.tsx';
import { Icon } from './icons.tsx';
import { Bones, Failed, messageOf } from './states.tsx';
import { say } from './toasts.tsx';

interface Asked {
  readonly requestId: string;
  readonly onDone: (() => void) | undefined;
}

const asked = signal<Asked | undefined>(undefined);

/** Asks whether to undo everything that a request has changed: shows what that does, and what has changed since. */
export function askUndoRequest(requestId: string, onDone?: () => void): void {
  asked.value = { requestId, onDone };
}

/** Where the dialog of {@link askUndoRequest} appears, whatever view is open. */
export function UndoRequestDialogs() {
  return asked.value && <UndoRequestDialog key={asked.value.requestId} {...asked.value} />;
}

const ACTIONS = ['created', 'updated', 'deleted'] as const;

function UndoRequestDialog({ requestId, onDone }: Asked) {
  const onClose = () => {
    asked.value = undefined;
  };
  const preview = useLoaded(requestId, (signal) => previewUndoRequest(requestId, signal));
  const isPartial = useSignal(false);
  const isBusy = useSignal(false);
  const fault = useSignal<unknown>(undefined);
  // Tried again after an answer that got lost, it is still one undo.
  const key = useRef(crypto.randomUUID());
  const { data, error, isLoading } = preview;
  const report = data?.report;
  const count = report?.wouldUndo ?? 0;
  const isReady = report !== undefined && count > 0 && (report.skipped === 0 || isPartial.value);
  const run = async () => {
    if (data === undefined) return;
    isBusy.value = true;
    fault.value = undefined;
    try {
      const done = await undoRequest(data.changeId, {
        isPartial: isPartial.value,
        idempotencyKey: key.current,
      });
      const { requestId: undoing } = done;
      say(
        texts.done(done.undone),
        undoing === null ? undefined : { label: history.undo, run: () => askUndoRequest(undoing, onDone) },
      );
      onClose();
      onDone?.();
    } catch (thrown) {
      fault.value = thrown;
      if (thrown instanceof Problem) {
        // What can be undone may have changed meanwhile.
        isPartial.value = false;
        preview.reload();
      }
    }
    isBusy.value = false;
  };
  return (
    <Dialog title={texts.title} onClose={onClose} mayClose={!isBusy.value} isWide>
      <div class="body">
        <h2>{texts.title}</h2>
        <p class="soft">{texts.text}</p>
        <div class="stack" aria-live="polite" aria-busy={preview.isLoading}>
          {report !== undefined ? (
            <Preview report={report} />
          ) : error === undefined && !isLoading ? (
            <p>{texts.nothing}</p>
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
        {report !== undefined && report.skipped > 0 && count > 0 && (
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

function Preview({ report }: Pick<RequestUndo, 'report'>) {
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
