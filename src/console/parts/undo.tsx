import { useSignal } from '@preact/signals';
import { Problem } from '../../client/client.ts';
import { useLoaded } from '../data/load.ts';
import { viewUrl } from '../data/place.ts';
import { type Change, previewUndo, undo } from '../data/undo.ts';
import { history } from '../texts/history.ts';
import { texts } from '../texts.ts';
import { Dialog } from './dialog.tsx';
import { Diff } from './diff.tsx';
import { Icon } from './icons.tsx';
import { Bones, messageOf } from './states.tsx';
import { say, sayFault } from './toasts.tsx';

/** Undoes a change without asking, and says so: for the button of a message about what was just done. */
export async function undoNow(id: number, onDone?: (change: Change) => void): Promise<void> {
  try {
    const done = await undo(id);
    onDone?.(done);
    say(history.undone);
  } catch (error) {
    sayFault(error);
  }
}

/** Asks before a change is undone: shows what the undo does, from a dry run, or why there is none. */
export function UndoDialog({
  change,
  onClose,
  onDone,
}: {
  change: Pick<Change, 'id' | 'userId' | 'action'>;
  onClose: () => void;
  onDone: (change: Change) => void;
}) {
  const { id, userId, action } = change;
  const title = action === 'deleted' ? history.restoreTitle : history.undoTitle;
  const preview = useLoaded(`${id}`, (signal) => previewUndo(id, signal));
  const isBusy = useSignal(false);
  const refusal = useSignal<unknown>(undefined);
  const error = refusal.value ?? preview.error;
  const run = async () => {
    isBusy.value = true;
    try {
      const done = await undo(id);
      onDone(done);
      onClose();
      say(history.undone, { label: history.undo, run: () => undoNow(done.id, onDone) });
    } catch (fault) {
      refusal.value = fault;
    }
    isBusy.value = false;
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="body">
        <h2>{title}</h2>
        {error !== undefined ? (
          <Refused error={error} userId={userId} />
        ) : preview.data === undefined ? (
          <Bones lines={2} />
        ) : (
          <div class="stack">
            <p>{history.preview[action]}</p>
            {preview.data.map((draft) => (
              <Diff key={draft.userId} before={draft.before} after={draft.after} />
            ))}
          </div>
        )}
        <div class="row end">
          <button type="button" class="button" onClick={onClose}>
            {texts.dialog.cancel}
          </button>
          {error !== undefined ? (
            <button
              type="button"
              class="button"
              onClick={() => {
                refusal.value = undefined;
                preview.reload();
              }}
            >
              {history.lookAgain}
            </button>
          ) : (
            <button
              type="button"
              class="button primary"
              disabled={isBusy.value || preview.data === undefined}
              onClick={run}
            >
              <Icon name="undo" />
              {history.undo}
            </button>
          )}
        </div>
      </div>
    </Dialog>
  );
}

function Refused({ error, userId }: { error: unknown; userId: number }) {
  const details = error instanceof Problem ? error.details : undefined;
  if (details?.code !== 'changed_since') {
    return (
      <div role="alert" class="stack">
        <p class="note bad">
          <Icon name="warning" />
          <span>
            {history.refused} {messageOf(error)}
          </span>
        </p>
        {details && <p class="mono soft">{texts.states.request(details.requestId)}</p>}
      </div>
    );
  }
  const fields = details.fields ?? [];
  return (
    <div role="alert" class="stack">
      <p class="note">
        <Icon name="warning" />
        <span>{fields.length > 0 ? history.changedSince : messageOf(error)}</span>
      </p>
      {fields.length > 0 && (
        <div>
          <ul class="row">
            {fields.map((field) => (
              <li key={field} class="badge">
                <bdi>{texts.fields[field] ?? field}</bdi>
              </li>
            ))}
          </ul>
        </div>
      )}
      <p class="soft">
        {history.undoLater} <a href={viewUrl(`/accounts/${userId}`)}>{history.openAccount}</a>
      </p>
    </div>
  );
}
