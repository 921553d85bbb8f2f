import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { isObject } from '../../../client/merge-patch.ts';
import type { Values } from '../../data/values.ts';
import { ValueText } from '../../parts/diff.tsx';
import { Icon } from '../../parts/icons.tsx';
import { account } from '../../texts/account.ts';

const texts = account.preferences;

/** What is wrong at a path: `preferences.theme`. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

/** Values as a tree. */
export function Tree({ values }: { values: Values }) {
  return (
    <ul class="tree">
      {Object.entries(values).map(([name, value]) => (
        <li key={name}>
          {isObject(value) && Object.keys(value).length > 0 ? (
            <details open>
              <summary>
                <bdi>{name}</bdi>
              </summary>
              <Tree values={value} />
            </details>
          ) : (
            <span class="leaf">
              <bdi class="soft">{name}</bdi>
              <ValueText path="preferences." value={value} />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

/** Values as a tree in which each can be changed or removed, and others added. */
export function TreeEditor({
  values,
  above = [],
  faults,
  onChange,
}: {
  values: Values;
  above?: readonly string[];
  faults: readonly Fault[];
  /** `undefined` removes what is at the path. */
  onChange: (path: readonly string[], value: unknown) => void;
}) {
  return (
    <ul class="tree">
      {Object.entries(values).map(([name, value]) => {
        const path = [...above, name];
        const own = faults.filter((fault) => fault.path === `preferences.${path.join('.')}`);
        return (
          <li key={name}>
            {isObject(value) ? (
              <>
                <p class="row branch">
                  <bdi class="soft">{name}</bdi>
                  <Remove path={path} onChange={onChange} />
                </p>
                <Messages faults={own} />
                <TreeEditor values={value} above={path} faults={faults} onChange={onChange} />
              </>
            ) : (
              <Leaf path={path} value={value} faults={own} onChange={onChange} />
            )}
          </li>
        );
      })}
      <li>
        <Add above={above} taken={values} onChange={onChange} />
      </li>
    </ul>
  );
}

function Leaf({
  path,
  value,
  faults,
  onChange,
}: {
  path: readonly string[];
  value: unknown;
  faults: readonly Fault[];
  onChange: (path: readonly string[], value: unknown) => void;
}) {
  const id = useId();
  // As it is typed: `4.0` is not made `4` at once.
  const text = useSignal(textOf(value));
  return (
    <>
      <div class="leaf">
        <label class="soft" for={id}>
          <bdi>{path.at(-1)}</bdi>
        </label>
        <input
          id={id}
          class="input"
          type="text"
          spellcheck={false}
          autoComplete="off"
          aria-invalid={faults.length > 0}
          aria-describedby={`${id}-faults`}
          value={text.value}
          onInput={({ currentTarget }) => {
            text.value = currentTarget.value;
            onChange(path, readValue(currentTarget.value));
          }}
        />
        <Remove path={path} onChange={onChange} />
      </div>
      <Messages id={`${id}-faults`} faults={faults} />
    </>
  );
}

function Messages({ id, faults }: { id?: string; faults: readonly Fault[] }) {
  return (
    <div class="fault" {...(id !== undefined && { id })} role="alert">
      {faults.map(({ message }) => (
        <p key={message}>{message}</p>
      ))}
    </div>
  );
}

function Remove({
  path,
  onChange,
}: {
  path: readonly string[];
  onChange: (path: readonly string[], value: unknown) => void;
}) {
  return (
    <button
      type="button"
      class="button plain small"
      aria-label={texts.remove(path.join('.'))}
      onClick={() => onChange(path, undefined)}
    >
      <Icon name="cross" />
    </button>
  );
}

function Add({
  above,
  taken,
  onChange,
}: {
  above: readonly string[];
  taken: Values;
  onChange: (path: readonly string[], value: unknown) => void;
}) {
  const name = useSignal('');
  const isTaken = Object.hasOwn(taken, name.value);
  const add = () => {
    if (name.value === '' || isTaken) return;
    onChange([...above, name.value], '');
    name.value = '';
  };
  return (
    <div class="leaf add">
      <input
        class="input"
        type="text"
        spellcheck={false}
        autoComplete="off"
        aria-label={above.length === 0 ? texts.newName : texts.newNameIn(above.join('.'))}
        placeholder={texts.newName}
        aria-invalid={isTaken}
        value={name.value}
        onInput={({ currentTarget }) => {
          name.value = currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          add();
        }}
      />
      <button type="button" class="button small" disabled={name.value === '' || isTaken} onClick={add}>
        <Icon name="plus" />
        {texts.add}
      </button>
    </div>
  );
}

/** A value as it is typed: JSON, or a text as it is where that is not JSON. */
function textOf(value: unknown): string {
  return typeof value === 'string' && readValue(value) === value ? value : JSON.stringify(value);
}

function readValue(text: string): unknown {
  try {
    // `null` would remove the name.
    return JSON.parse(text) ?? text;
  } catch {
    return text;
  }
}
