import { useSignal } from '@preact/signals';
import { call } from '../../data/api.ts';
import { useDraft } from '../../data/drafts.ts';
import { meTexts } from '../../texts/me.ts';
import { texts as shared } from '../../texts.ts';
import { type Account, SaveFault, useSaving } from './save.tsx';

const texts = meTexts.preferences;

/** My preferences as JSON: checked here for its form, and by the service for the operator's rules. */
export function Preferences({
  account,
  onChange,
}: {
  account: Account;
  onChange: (account: Account) => void;
}) {
  const typed = useSignal<string | undefined>(undefined);
  const { isBusy, error, save, reload } = useSaving(account, onChange);
  const stored = JSON.stringify(account.preferences, null, 2);
  const text = typed.value ?? stored;
  const { value, fault } = parsed(text);
  const isChanged = text !== stored;
  useDraft(isChanged);
  const submit = async (overAll = false) => {
    if (value === undefined) return;
    const before = account.preferences;
    const put = (body: Account['preferences']) => (version: number | undefined) =>
      call('PUT /v1/me/preferences', { body, ...(version !== undefined && { version }) });
    if (await save(['preferences'], put(value), put(before), overAll)) typed.value = undefined;
  };
  const discard = () => {
    typed.value = undefined;
  };
  return (
    <section class="box">
      <header>
        <h2>{texts.title}</h2>
        {isChanged && value && (
          <button
            type="button"
            class="button plain small"
            onClick={() => {
              typed.value = JSON.stringify(value, null, 2);
            }}
          >
            {texts.format}
          </button>
        )}
      </header>
      <form
        class="inside stack"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <div class="field">
          <label class="soft" for="my-preferences">
            {texts.help}
          </label>
          <textarea
            id="my-preferences"
            class="input"
            spellcheck={false}
            rows={Math.min(24, Math.max(3, text.split('\n').length))}
            aria-invalid={fault !== undefined}
            aria-describedby="my-preferences-fault"
            value={text}
            onInput={({ currentTarget }) => {
              typed.value = currentTarget.value;
            }}
          />
          <span class="fault" id="my-preferences-fault" aria-live="polite">
            {fault}
          </span>
        </div>
        <SaveFault error={error} onMine={() => submit(true)} onTheirs={() => reload().then(discard)} />
        <div class="row">
          <button type="submit" class="button primary" disabled={isBusy || !isChanged || fault !== undefined}>
            {shared.dialog.save}
          </button>
          {isChanged && (
            <button type="button" class="button plain" disabled={isBusy} onClick={discard}>
              {meTexts.details.reset}
            </button>
          )}
        </div>
      </form>
    </section>
  );
}

/** Preferences from a text, or what is wrong with it. */
function parsed(text: string): { readonly value?: Account['preferences']; readonly fault?: string } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { value: value as Account['preferences'] };
    }
    return { fault: texts.notObject };
  } catch (error) {
    return { fault: (error as Error).message };
  }
}
