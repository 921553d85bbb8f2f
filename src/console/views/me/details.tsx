import { useSignal } from '@preact/signals';
import { call } from '../../data/api.ts';
import { useDraft } from '../../data/drafts.ts';
import { Time } from '../../parts/time.tsx';
import { meTexts } from '../../texts/me.ts';
import { texts as shared } from '../../texts.ts';
import { type Account, SaveFault, useSaving } from './save.tsx';

const texts = meTexts.details;

const FIELDS = ['name', 'storageMode'] as const;
type Fields = Pick<Account, (typeof FIELDS)[number]>;

const MODES = ['account', 'local'] as const;

/** My name and where the app keeps my data. */
export function Details({ account, onChange }: { account: Account; onChange: (account: Account) => void }) {
  const draft = useSignal<Partial<Fields>>({});
  const { isBusy, error, save, reload } = useSaving(account, onChange);
  const { name, storageMode } = { ...account, ...draft.value };
  const changed = FIELDS.filter((field) => ({ name, storageMode })[field] !== account[field]);
  const isChanged = changed.length > 0;
  useDraft(isChanged);
  const submit = async (overAll = false) => {
    // What others change meanwhile in the other field stays.
    const only = (values: Fields) => Object.fromEntries(changed.map((field) => [field, values[field]]));
    const patch = (body: Partial<Fields>) => (version: number | undefined) =>
      call('PATCH /v1/me', { body, ...(version !== undefined && { version }) });
    if (await save(changed, patch(only({ name, storageMode })), patch(only(account)), overAll))
      draft.value = {};
  };
  const discard = () => {
    draft.value = {};
  };
  return (
    <section class="box">
      <header>
        <h2>{texts.title}</h2>
      </header>
      <form
        class="inside stack"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <div class="field">
          <label for="my-name">{texts.name}</label>
          <input
            id="my-name"
            class="input"
            dir="auto"
            autocomplete="name"
            aria-describedby="my-name-help"
            value={name ?? ''}
            onInput={({ currentTarget }) => {
              draft.value = { ...draft.value, name: currentTarget.value || null };
            }}
          />
          <span class="soft small-text" id="my-name-help">
            {texts.nameHelp}
          </span>
        </div>
        <fieldset class="choices">
          <legend class="label">{texts.storage}</legend>
          {MODES.map((mode) => (
            <label key={mode} class="choice">
              <input
                type="radio"
                name="storageMode"
                checked={storageMode === mode}
                onChange={() => {
                  draft.value = { ...draft.value, storageMode: mode };
                }}
              />
              <span>
                {texts.modes[mode][0]}
                <span class="soft small-text">{texts.modes[mode][1]}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <dl class="pairs">
          <dt>{shared.fields['createdAt']}</dt>
          <dd>
            <Time at={account.createdAt} />
          </dd>
          <dt>{shared.fields['updatedAt']}</dt>
          <dd>
            <Time at={account.updatedAt} />
          </dd>
        </dl>
        <SaveFault error={error} onMine={() => submit(true)} onTheirs={() => reload().then(discard)} />
        <div class="row">
          <button type="submit" class="button primary" disabled={isBusy || !isChanged}>
            {shared.dialog.save}
          </button>
          {isChanged && (
            <button type="button" class="button plain" disabled={isBusy} onClick={discard}>
              {texts.reset}
            </button>
          )}
        </div>
      </form>
    </section>
  );
}
