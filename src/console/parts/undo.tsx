import { signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { Problem } from '../../client/index.ts';
import { call } from '../data/api.ts';
import { tell } from '../data/live.ts';
import { useLoaded } from '../data/load.ts';
import { viewUrl } from '../data/place.ts';
import { type Change, previewUndo, undo } from '../data/undo.ts';
import { differencesOf } from '../data/values.ts';
import { history } from '../texts/history.ts';
import { texts } from '../texts.ts';
import { AccountLink } from './account-link.tsx';
import { ActDialog, Refused } from './act.tsx';
import { Actor } from './actor.tsx';
import { Diff, FieldName } from './diff.tsx';
import { Bones, messageOf } from './states.tsx';
import { Time } from './time.tsx';
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

function UndoDialog({ change }: { change: Change }) {
  const { id, userId, action, actor, at, before, after } = change;
  const isRestore = action === 'deleted';
  // Tried again after an answer that got lost, it is still one undo.
  const key = useRef(crypto.randomUUID());
  return (
    <ActDialog
      title={isRestore ? history.restoreTitle : history.undoTitle}
      label={isRestore ? history.restore : history.undo}
      isDanger={action === 'created'}
      plan={(signal) => previewUndo(id, signal)}
      act={async (reason) => {
        const done = await undo(id, key.current, reason);
        tell(done);
        sayChanged(isRestore ? history.restored : history.undone, done);
      }}
      onClose={() => {
        asked.value = undefined;
      }}
      explain={(error) => <Refusal error={error} change={change} />}
      intro={history.preview[action]}
    >
      <p class="soft">
        {texts.actions[action]} · <Actor name={actor} /> · <Time at={at} as="exact" />
        <br />
        <AccountLink id={userId} email={before?.email ?? after?.email} />
      </p>
    </ActDialog>
  );
}

function Refusal({ error, change }: { error: unknown; change: Change }) {
  const fields =
    error instanceof Problem && error.code === 'changed_since' ? error.details.fields : undefined;
  if (!fields?.length) return <Refused text={messageOf(error)} />;
  return (
    <>
      <Refused text={history.changedSince} />
      <ul class="row">
        {fields.map((path) => (
          <li key={path} class="badge">
            <FieldName path={path} />
          </li>
        ))}
      </ul>
      <Later change={change} fields={fields} />
      <p>{history.undoLater}</p>
      <a class="button small" href={viewUrl(`/accounts/${change.userId}`)}>
        {history.openAccount}
      </a>
    </>
  );
}

/** How many later changes are looked through, at most. */
const LATER = 50;

/** The later changes that are in the way of an undo. */
function Later({ change, fields }: { change: Change; fields: readonly string[] }) {
  const { userId, version, at } = change;
  const later = useLoaded(`${change.id}`, (signal) =>
    call('GET /v1/history', { query: { userId: `${userId}`, since: at, limit: `${LATER}` }, signal }),
  );
  if (later.data === undefined) return later.error === undefined ? <Bones lines={2} /> : null;
  const touches = ({ before, after }: Change) =>
    differencesOf(before, after).some(({ path }) =>
      fields.some((field) => path === field || path.startsWith(`${field}.`) || field.startsWith(`${path}.`)),
    );
  const items = later.data.items.filter((item) => item.version > version && touches(item)).reverse();
  return (
    <ol class="stack" aria-label={history.later}>
      {items.map((item) => (
        <li key={item.id}>
          <p class="soft">
            <Actor name={item.actor} /> · <Time at={item.at} as="exact" />
          </p>
          <Diff before={item.before} after={item.after} />
        </li>
      ))}
    </ol>
  );
}
