import { signal, useSignal } from '@preact/signals';
import { Problem } from '../../client/client.ts';
import { tell } from '../data/live.ts';
import { useLoaded } from '../data/load.ts';
import { viewUrl } from '../data/place.ts';
import { type Change, previewUndo, undo } from '../data/undo.ts';
import { history } from '../texts/history.ts';
import { texts } from '../texts.ts';
import { Dialog } from './dialog.tsx';
import { Diff } from './diff.tsx';
import { Icon } from './icons.tsx';
import { Bones, messageOf } from './states.tsx';
import { say } from './toasts.tsx';

const asked = signal<Change | undefined>(undefined);

/** Asks whether to undo a change, with a preview of what that will change, or of what has changed since. */
export function askUndo(change: Change): void {
  asked.value = change;
}

/** Says that a change was made, and offers to undo it. */
export function sayChanged(text: string, change: Change | undefined): void {
  say(text, change && { label: history.undo, run: () => askUndo(change) });
}

/** Where the dialog of {@link askUndo} appears, whatever view is open. */
export function UndoDialogs() {
  const change = asked.value;
  return change && <UndoDialog key={change.id} change={change} />;
}

function UndoDialog({ change: { id, userId, action } }: { change: Change }) {
  const onClose = () => {
    asked.value = undefined;
  };
  const title = action === 'deleted' ? history.restoreTitle : history.undoTitle;
  const preview = useLoaded(`${id}`, (signal) => previewUndo(id, signal));
  const isBusy = useSignal(false);
  const refusal = useSignal<unknown>(undefined);
  const error = refusal.value ?? preview.error;
  const run = async () => {
    isBusy.value = true;
    try {
      const done = await undo(id);
      tell(done);
      onClose();
      sayChanged(action === 'deleted' ? history.restored : history.undone, done);
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
      <p class="soft">{history.undoLater}</p>
      <a class="button small" href={viewUrl(`/accounts/${userId}`)}>
        {history.openAccount}
      </a>
    </div>
  );
}
