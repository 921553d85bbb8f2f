import { useSignal } from '@preact/signals';
import { type Answered, Problem } from '../../../client/index.ts';
import { isSame } from '../../../client/merge-patch.ts';
import { call } from '../../data/api.ts';
import { Icon } from '../../parts/icons.tsx';
import { messageOf } from '../../parts/states.tsx';
import { say, sayFault } from '../../parts/toasts.tsx';
import { meTexts as texts } from '../../texts/me.ts';

/** My account. */
export type Account = Answered<'GET /v1/me'>;

/** Writes a part of my account, only over this version where there is one. */
type Write = (version: number | undefined) => Promise<unknown>;

/** The saving of a form. */
export interface Saving {
  readonly isBusy: boolean;
  readonly error: unknown;
  /**
   * Saves these fields, and tells of it with a way back. Changes of other fields are not in the way, and with `overAll` none is. Returns
   * whether it was saved; `error` says why not.
   */
  readonly save: (
    fields: readonly (keyof Account)[],
    write: Write,
    undo: Write,
    overAll?: boolean,
  ) => Promise<boolean>;
  /** Shows the account as it is now. */
  readonly reload: () => Promise<void>;
}

/** Saves the forms of an account's parts. */
export function useSaving(account: Account, onChange: (account: Account) => void): Saving {
  const isBusy = useSignal(false);
  const error = useSignal<unknown>(undefined);
  const reload = async () => {
    onChange(await call('GET /v1/me'));
    error.value = undefined;
  };
  const save: Saving['save'] = async (fields, write, undo, overAll = false) => {
    isBusy.value = true;
    error.value = undefined;
    try {
      if (overAll) await write(undefined);
      else await writeOver(account, fields, write);
      const changed = await call('GET /v1/me');
      onChange(changed);
      say(texts.saved, {
        label: texts.undo,
        run: () =>
          undo(changed.version)
            .then(reload)
            .then(() => say(texts.undone), sayFault),
      });
      return true;
    } catch (fault) {
      error.value = fault;
      return false;
    } finally {
      isBusy.value = false;
    }
  };
  return { isBusy: isBusy.value, error: error.value, save, reload };
}

/** How often a change is repeated because other fields have changed meanwhile: an app keeps writing preferences. */
const ATTEMPTS = 5;

async function writeOver(
  account: Account,
  fields: readonly (keyof Account)[],
  write: Write,
): Promise<unknown> {
  let { version } = account;
  for (let attempt = 1; ; attempt++) {
    try {
      return await write(version);
    } catch (fault) {
      const isOvertaken = fault instanceof Problem && fault.code === 'precondition_failed';
      if (!isOvertaken || attempt === ATTEMPTS) throw fault;
      const theirs = await call('GET /v1/me');
      if (!fields.every((field) => isSame(theirs[field], account[field]))) throw fault;
      version = theirs.version;
    }
  }
}

/** Why a form was not saved: each fault by itself, and a choice after a change by somebody else. */
export function SaveFault({
  error,
  onMine,
  onTheirs,
}: {
  error: unknown;
  onMine: () => void;
  onTheirs: () => void;
}) {
  if (error === undefined) return null;
  if (error instanceof Problem && error.code === 'precondition_failed') {
    return (
      <div class="note" role="alert">
        <div class="stack">
          <p>{texts.conflict.text}</p>
          <p class="row">
            <button type="button" class="button small" onClick={onMine}>
              {texts.conflict.mine}
            </button>
            <button type="button" class="button small" onClick={onTheirs}>
              {texts.conflict.theirs}
            </button>
          </p>
        </div>
      </div>
    );
  }
  const faults = (error instanceof Problem && error.details.errors) || [];
  return (
    <div class="note bad" role="alert">
      <Icon name="warning" />
      {faults.length === 0 ? (
        messageOf(error)
      ) : (
        <ul>
          {faults.map(({ path, message }) => (
            <li key={path + message}>
              {path && <code>{path}: </code>}
              {message}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
