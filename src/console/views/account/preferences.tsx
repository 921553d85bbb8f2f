import { useSignal } from '@preact/signals';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { Problem } from '../../../client/index.ts';
import { isObject, isSame, merged, patchBetween } from '../../../client/merge-patch.ts';
import { type Account, setPreferences, tellNewest } from '../../data/account.ts';
import { useDraft } from '../../data/drafts.ts';
import { keyOf, mergeSides, type Values, withValue } from '../../data/values.ts';
import { Diff, ValueText } from '../../parts/diff.tsx';
import { useFocusBack } from '../../parts/focus-back.ts';
import { Icon } from '../../parts/icons.tsx';
import { messageOf } from '../../parts/states.tsx';
import { sayChanged } from '../../parts/undo.tsx';
import { account as all } from '../../texts/account.ts';
import { texts as shared } from '../../texts.ts';
import { type Fault, Tree, TreeEditor } from './tree.tsx';

const texts = all.preferences;

/** How preferences are shown and edited: name by name, as a whole, or by a merge patch, which can only be edited. */
type Mode = 'tree' | 'json' | 'patch';

/** What is being edited. */
interface Draft {
  /** The account on which it is based. */
  readonly base: Account;
  /** The preferences as they should become, or the merge patch. */
  readonly values: Values;
  /** What is typed, in JSON. */
  readonly text: string;
}

/** The preferences of an account, as a tree and as JSON, both of which can be edited. */
export function Preferences({ account, onSaved }: { account: Account; onSaved: (account: Account) => void }) {
  const mode = useSignal<Mode>('tree');
  const draft = useSignal<Draft | undefined>(undefined);
  const isOpen = draft.value !== undefined;
  const opener = useFocusBack(isOpen);
  const { preferences } = account;
  const fault = useSignal<unknown>(undefined);
  const start = (values: Values, base: Account) => {
    fault.value = undefined;
    draft.value = { base, values, text: print(values) };
  };
  const choose = (next: Mode) => {
    const now = draft.value;
    if (now !== undefined && next !== mode.value) {
      try {
        // What is typed goes along, but for a patch, which is something else.
        const values = mode.value === 'tree' ? now.values : parse(now.text);
        if (next === 'patch') start(patchBetween(now.base.preferences, values), now.base);
        else if (mode.value === 'patch') start(merged(now.base.preferences, values), now.base);
        else start(values, now.base);
      } catch (error) {
        fault.value = error;
        return;
      }
    }
    mode.value = next;
  };
  const modes: readonly Mode[] = isOpen ? ['tree', 'json', 'patch'] : ['tree', 'json'];
  return (
    <section class="box preferences" aria-labelledby="preferences">
      <header>
        <h2 id="preferences">{texts.title}</h2>
        <div class="row">
          <fieldset class="tabs" aria-label={texts.show}>
            {modes.map((name) => (
              <button
                key={name}
                type="button"
                class="button small"
                aria-pressed={mode.value === name}
                onClick={() => choose(name)}
              >
                {texts.modes[name]}
              </button>
            ))}
          </fieldset>
          {!isOpen && (
            <button
              ref={opener}
              type="button"
              class="button plain small"
              aria-label={all.editField(texts.title)}
              onClick={() => start(preferences, account)}
            >
              {all.edit}
            </button>
          )}
        </div>
      </header>
      <div class="inside">
        {draft.value !== undefined ? (
          <Editor
            account={account}
            mode={mode.value}
            draft={draft.value}
            fault={fault.value}
            onFault={(error) => {
              fault.value = error;
            }}
            onDraft={(next) => {
              draft.value = next;
            }}
            onSaved={onSaved}
            onClose={() => {
              draft.value = undefined;
              if (mode.value === 'patch') mode.value = 'json';
            }}
          />
        ) : Object.keys(preferences).length === 0 ? (
          <p class="soft">{texts.none}</p>
        ) : mode.value === 'tree' ? (
          <Tree values={preferences} />
        ) : (
          <pre>{print(preferences)}</pre>
        )}
      </div>
    </section>
  );
}

function Editor({
  account,
  mode,
  draft,
  fault,
  onFault,
  onDraft,
  onSaved,
  onClose,
}: {
  account: Account;
  mode: Mode;
  draft: Draft;
  fault: unknown;
  onFault: (error: unknown) => void;
  onDraft: (draft: Draft) => void;
  onSaved: (account: Account) => void;
  onClose: () => void;
}) {
  const id = useId();
  const isBusy = useSignal(false);
  const mineAt = useSignal<ReadonlySet<string>>(new Set());
  const form = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => {
    form.current?.querySelector<HTMLElement>('textarea, input')?.focus();
  }, [mode]);
  const { base, text } = draft;
  const typed = mode === 'tree' ? { values: draft.values } : parsed(text);
  const mine = !('values' in typed)
    ? undefined
    : mode === 'patch'
      ? merged(base.preferences, typed.values)
      : typed.values;
  // What cannot be read has been changed.
  useDraft(mine === undefined || !isSame(mine, base.preferences));
  const sides = mine && mergeSides(base.preferences, account.preferences, mine, mineAt.value);
  const planned = sides && patchBetween(account.preferences, sides.merged);
  const faults = faultsOf(fault);
  const save = async () => {
    if (mine === undefined) return onFault('error' in typed ? typed.error : undefined);
    isBusy.value = true;
    onFault(undefined);
    try {
      // What both sides have changed must have been seen before it is decided.
      const merge = (theirs: Account) => {
        const { merged, conflicts } = mergeSides(base.preferences, theirs.preferences, mine, mineAt.value);
        const seen = new Set(sides?.conflicts.map((conflict) => JSON.stringify(conflict)));
        return conflicts.every((conflict) => seen.has(JSON.stringify(conflict))) ? merged : undefined;
      };
      const saved = await setPreferences(account, merge, onSaved);
      if (saved !== undefined) {
        onSaved(saved);
        onClose();
        if (saved.version !== account.version) sayChanged(texts.saved, await tellNewest(account.id));
      }
    } catch (error) {
      onFault(error);
    }
    isBusy.value = false;
  };
  return (
    <form
      ref={form}
      class="stack"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      {mode === 'tree' ? (
        <TreeEditor
          values={draft.values}
          faults={faults}
          onChange={(path, value) => onDraft({ ...draft, values: withValue(draft.values, path, value) })}
        />
      ) : (
        <div class="field">
          <label for={id}>{texts.modes[mode]}</label>
          <textarea
            id={id}
            class="input"
            rows={Math.min(24, Math.max(8, text.split('\n').length + 1))}
            spellcheck={false}
            aria-invalid={faults.length > 0 || 'error' in typed}
            aria-describedby={`${id}-help`}
            value={text}
            onInput={({ currentTarget: { value } }) => onDraft({ ...draft, text: value })}
          />
          <p class="soft" id={`${id}-help`}>
            {texts.help[mode]}
          </p>
        </div>
      )}
      <div role="alert">
        {faults
          .filter(({ path }) => mode !== 'tree' || !hasPath(draft.values, path))
          .map(({ path, message }) => (
            <p key={path + message} class="fault">
              {path !== '' && (
                <>
                  <bdi class="mono">{path}</bdi>:{' '}
                </>
              )}
              {message}
            </p>
          ))}
      </div>
      {sides && sides.conflicts.length > 0 && (
        <section class="conflict" role="alert">
          <p class="row">
            <Icon name="warning" />
            {texts.conflict}
          </p>
          {sides.conflicts.map(({ path, theirs, mine: my }) => (
            <fieldset key={keyOf(path)}>
              <legend>
                <bdi class="mono">{path.join('.')}</bdi>
              </legend>
              <div class="sides">
                {([false, true] as const).map((isMine) => (
                  <label key={`${isMine}`}>
                    <span class="row">
                      <input
                        type="radio"
                        name={`${id} ${keyOf(path)}`}
                        checked={mineAt.value.has(keyOf(path)) === isMine}
                        onChange={() => {
                          const next = new Set(mineAt.value);
                          if (isMine) next.add(keyOf(path));
                          else next.delete(keyOf(path));
                          mineAt.value = next;
                        }}
                      />
                      {isMine ? all.conflict.mine : all.conflict.theirs}
                    </span>
                    <ValueText path="preferences." value={isMine ? my : theirs} />
                  </label>
                ))}
              </div>
            </fieldset>
          ))}
        </section>
      )}
      {planned && Object.keys(planned).length > 0 && sides && (
        <section class="stack">
          <h3>{texts.planned}</h3>
          <Diff
            before={{ preferences: patchBetween(sides.merged, account.preferences) }}
            after={{ preferences: planned }}
          />
        </section>
      )}
      <div class="row">
        <button type="submit" class="button primary" disabled={isBusy.value}>
          {shared.dialog.save}
        </button>
        <button type="button" class="button" onClick={onClose}>
          {shared.dialog.cancel}
        </button>
      </div>
    </form>
  );
}

function print(values: Values): string {
  return JSON.stringify(values, null, 2);
}

function parse(text: string): Values {
  const value: unknown = JSON.parse(text === '' ? '{}' : text);
  if (!isObject(value)) throw new Error(texts.noObject);
  return value;
}

function parsed(text: string): { readonly values: Values } | { readonly error: unknown } {
  try {
    return { values: parse(text) };
  } catch (error) {
    return { error };
  }
}

/** What a refusal says, path by path; those of the whole have an empty one. */
function faultsOf(error: unknown): readonly Fault[] {
  if (error === undefined) return [];
  const errors = error instanceof Problem ? (error.details.errors ?? []) : [];
  return errors.length > 0 ? errors : [{ path: '', message: messageOf(error) }];
}

/** Whether a tree has a row at this path, which shows its own faults. */
function hasPath(values: Values, path: string): boolean {
  const paths = (inner: Values, above: string): string[] =>
    Object.entries(inner).flatMap(([name, value]) => [
      `${above}.${name}`,
      ...(isObject(value) ? paths(value, `${above}.${name}`) : []),
    ]);
  return paths(values, 'preferences').includes(path);
}
