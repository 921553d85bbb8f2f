import { type Signal, useSignal } from '@preact/signals';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { Problem } from '../../../client/index.ts';
import { isSame } from '../../../client/merge-patch.ts';
import { type Account, Overtaken, type Patch, setField, tellNewest } from '../../data/account.ts';
import { useDraft } from '../../data/drafts.ts';
import { fieldOfTime, timeOfField } from '../../data/format.ts';
import { RoleBadge, StatusBadge } from '../../parts/badges.tsx';
import { useFocusBack } from '../../parts/focus-back.ts';
import { Icon } from '../../parts/icons.tsx';
import { Name } from '../../parts/name.tsx';
import { messageOf } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { sayChanged } from '../../parts/undo.tsx';
import { account as texts } from '../../texts/account.ts';
import { texts as shared } from '../../texts.ts';

/** The fields that are edited here, each with what may be chosen; a text or a time otherwise. */
const FIELDS = {
  name: undefined,
  email: undefined,
  role: shared.roles,
  roleUntil: undefined,
  status: shared.statuses,
  storageMode: shared.storageModes,
} as const;

type Field = keyof typeof FIELDS;

/** What is being typed into a field. */
interface Draft {
  readonly text: string;
  /** The account on which it is based. */
  readonly base: Account;
}

/** The fields of an account, edited in place. */
export function Details({ account, onSaved }: { account: Account; onSaved: (account: Account) => void }) {
  const { id, version, createdAt, updatedAt, lastSeenAt } = account;
  return (
    <section class="box" aria-labelledby="details">
      <header>
        <h2 id="details">{texts.details}</h2>
        <span class="soft">{texts.timeline.version(version)}</span>
      </header>
      <div class="inside fields">
        {(Object.keys(FIELDS) as Field[])
          .filter((field) => field !== 'roleUntil' || account.role === 'admin')
          .map((field) => (
            <EditedField key={field} field={field} account={account} onSaved={onSaved} />
          ))}
        <dl class="pairs">
          <dt>{texts.id}</dt>
          <dd>{id}</dd>
          <dt>{shared.fields['createdAt']}</dt>
          <dd>
            <Time at={createdAt} />
          </dd>
          <dt>{shared.fields['updatedAt']}</dt>
          <dd>
            <Time at={updatedAt} />
          </dd>
          <dt>{shared.accounts.columns.lastSeenAt}</dt>
          <dd>{lastSeenAt === null ? shared.accounts.never : <Time at={lastSeenAt} as="age" />}</dd>
        </dl>
      </div>
    </section>
  );
}

function EditedField({
  field,
  account,
  onSaved,
}: {
  field: Field;
  account: Account;
  onSaved: (account: Account) => void;
}) {
  const draft = useSignal<Draft | undefined>(undefined);
  const opener = useFocusBack(draft.value !== undefined);
  const label = shared.fields[field] ?? field;
  return (
    <div class="field-row">
      {draft.value === undefined ? (
        <>
          <span class="soft">{label}</span>
          <span class="value">
            <Value field={field} account={account} />
          </span>
          <button
            ref={opener}
            type="button"
            class="button plain small"
            aria-label={texts.editField(label)}
            onClick={() => {
              draft.value = { text: typedOf(field, account), base: account };
            }}
          >
            {texts.edit}
          </button>
        </>
      ) : (
        <Editor
          field={field}
          label={label}
          account={account}
          draft={draft as Signal<Draft>}
          onSaved={onSaved}
          onClose={() => {
            draft.value = undefined;
          }}
        />
      )}
    </div>
  );
}

function Value({ field, account }: { field: Field; account: Account }) {
  if (field === 'role') return <RoleBadge role={account.role} />;
  if (field === 'status') return <StatusBadge status={account.status} />;
  if (field === 'storageMode') return <>{shared.storageModes[account.storageMode]}</>;
  const text = account[field];
  if (text === null) return <span class="soft">{field === 'roleUntil' ? texts.noEnd : texts.noName}</span>;
  return field === 'roleUntil' ? <Time at={text} as="exact" /> : <Name text={text} />;
}

/** A field as it is typed. */
function typedOf(field: Field, account: Account): string {
  const value = account[field] ?? '';
  return field === 'roleUntil' && value !== '' ? fieldOfTime(value) : value;
}

/** What is typed, as the service takes it. */
function readField(field: Field, text: string): Patch[Field] {
  if (field === 'roleUntil') return timeOfField(text) ?? null;
  return (text === '' && field === 'name' ? null : text) as Patch[Field];
}

function Editor({
  field,
  label,
  account,
  draft,
  onSaved,
  onClose,
}: {
  field: Field;
  label: string;
  account: Account;
  draft: Signal<Draft>;
  onSaved: (account: Account) => void;
  onClose: () => void;
}) {
  const id = useId();
  const input = useRef<HTMLInputElement & HTMLSelectElement>(null);
  const isBusy = useSignal(false);
  const fault = useSignal<string | undefined>(undefined);
  useLayoutEffect(() => {
    input.current?.focus();
    input.current?.select?.();
  }, []);
  const { text, base } = draft.value;
  useDraft(text !== typedOf(field, base));
  const theirs = typedOf(field, account);
  const isConflict = !isSame(account[field], base[field]) && theirs !== text;
  const save = async () => {
    // A time that is typed in part has no value, which would stand for none.
    if (input.current?.validity.badInput) {
      fault.value = texts.noTime;
      return;
    }
    const value = readField(field, text);
    // Nothing to do, or somebody else has done it.
    if (text === theirs) return onClose();
    isBusy.value = true;
    fault.value = undefined;
    try {
      onSaved(await setField(account, field, value));
      onClose();
      sayChanged(texts.saved(label), await tellNewest(account.id));
    } catch (error) {
      isBusy.value = false;
      if (error instanceof Overtaken) {
        onSaved(error.theirs);
        // As it is after an answer that got lost.
        if (isSame(error.theirs[field], value)) return onClose();
      } else fault.value = faultOf(error, field);
      input.current?.focus();
    }
  };
  const options = FIELDS[field];
  const attributes = {
    ref: input,
    id,
    class: 'input',
    value: text,
    'aria-invalid': fault.value !== undefined,
    'aria-describedby': `${id}-fault`,
    onInput: ({ currentTarget }: { currentTarget: { value: string } }) => {
      draft.value = { text: currentTarget.value, base };
    },
  };
  return (
    <form
      class="field"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <label for={id}>{label}</label>
      <div class="row edit">
        {field === 'roleUntil' ? (
          <input {...attributes} type="datetime-local" step={1} />
        ) : options === undefined ? (
          <input
            {...attributes}
            type="text"
            inputMode={field === 'email' ? 'email' : 'text'}
            autoComplete="off"
            spellcheck={false}
            dir="auto"
          />
        ) : (
          <select {...attributes}>
            {Object.entries(options).map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        )}
        {!isConflict && (
          <button type="submit" class="button primary" disabled={isBusy.value}>
            {shared.dialog.save}
          </button>
        )}
        <button type="button" class="button" onClick={onClose}>
          {shared.dialog.cancel}
        </button>
      </div>
      <p class="fault" id={`${id}-fault`} role="alert">
        {fault.value}
      </p>
      {isConflict && (
        <section class="conflict" role="alert">
          <p class="row">
            <Icon name="warning" />
            {texts.conflict.title(label)}
          </p>
          <div class="sides">
            <div>
              <h3>{texts.conflict.theirs}</h3>
              <p>
                <Value field={field} account={account} />
              </p>
              <button type="button" class="button" onClick={onClose}>
                {texts.conflict.keepTheirs}
              </button>
            </div>
            <div>
              <h3>{texts.conflict.mine}</h3>
              <p>
                <Value field={field} account={{ ...account, [field]: readField(field, text) }} />
              </p>
              <button type="submit" class="button primary" disabled={isBusy.value}>
                {texts.conflict.useMine}
              </button>
            </div>
          </div>
          <p class="soft">{texts.conflict.help}</p>
        </section>
      )}
    </form>
  );
}

/** What a refusal says about one field. */
export function faultOf(error: unknown, field: string): string {
  const errors = error instanceof Problem ? (error.details.errors ?? []) : [];
  const own = errors.filter(({ path }) => path === field).map(({ message }) => message);
  return own.length > 0 ? own.join(' ') : messageOf(error);
}
