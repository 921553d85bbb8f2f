import { useSignal } from '@preact/signals';
import { type Answered, Problem } from '../../../client/index.ts';
import { call } from '../../data/api.ts';
import { useDraft } from '../../data/drafts.ts';
import { Copied } from '../../parts/copied.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Icon } from '../../parts/icons.tsx';
import { messageOf } from '../../parts/states.tsx';
import { accessTexts } from '../../texts/access.ts';
import { texts as shared } from '../../texts.ts';

const texts = accessTexts.creation;

type Scope = keyof typeof texts.scopeNames;

const SCOPES = Object.keys(texts.scopeNames) as Scope[];

const NEVER = 'never';

/** Makes a service token, and shows it once. */
export function NewToken({ onCreated, onClose }: { onCreated: () => void; onClose: () => void }) {
  const created = useSignal<Answered<'POST /v1/service-tokens'> | undefined>(undefined);
  // It is shown once.
  useDraft(created.value !== undefined);
  if (!created.value) {
    return (
      <TokenForm
        onClose={onClose}
        onCreated={(token) => {
          created.value = token;
          onCreated();
        }}
      />
    );
  }
  const { name, token } = created.value;
  const title = texts.done(name);
  return (
    // Esc would lose it for good.
    <Dialog key="created" title={title} onClose={onClose} mayClose={false}>
      <div class="body">
        <h2>
          <bdi>{title}</bdi>
        </h2>
        <p class="note">
          <Icon name="warning" />
          {texts.once}
        </p>
        <Copied text={token ?? ''} />
        <p class="row end">
          <button type="button" class="button primary" onClick={onClose}>
            {texts.close}
          </button>
        </p>
      </div>
    </Dialog>
  );
}

function TokenForm({
  onCreated,
  onClose,
}: {
  onCreated: (token: Answered<'POST /v1/service-tokens'>) => void;
  onClose: () => void;
}) {
  const name = useSignal('');
  const scopes = useSignal<readonly Scope[]>(['users:read']);
  const expiry = useSignal('365');
  const isBusy = useSignal(false);
  const error = useSignal<unknown>(undefined);
  useDraft(name.value !== '');
  const faults = (error.value instanceof Problem && error.value.details.errors) || [];
  const nameFault = faults.find(({ path }) => path === 'name')?.message;
  const submit = async () => {
    isBusy.value = true;
    error.value = undefined;
    const body = { name: name.value.trim(), scopes: [...scopes.value], expiresAt: expiryOf(expiry.value) };
    try {
      onCreated(await call('POST /v1/service-tokens', { body }));
    } catch (fault) {
      error.value = fault;
      isBusy.value = false;
    }
  };
  return (
    <Dialog key="form" title={texts.title} onClose={onClose} mayClose={!isBusy.value}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <h2>{texts.title}</h2>
        <div class="field">
          <label for="token-name">{texts.name}</label>
          <input
            id="token-name"
            class="input"
            required
            maxLength={100}
            autocomplete="off"
            aria-invalid={nameFault !== undefined}
            aria-describedby="token-name-help"
            value={name.value}
            onInput={({ currentTarget }) => {
              name.value = currentTarget.value;
            }}
          />
          <span id="token-name-help" class={nameFault ? 'fault' : 'soft small-text'}>
            {nameFault ?? texts.nameHelp}
          </span>
        </div>
        <fieldset class="choices">
          <legend class="label">{texts.scopes}</legend>
          {SCOPES.map((scope) => (
            <label key={scope} class="choice">
              <input
                type="checkbox"
                checked={scopes.value.includes(scope)}
                onChange={({ currentTarget: { checked } }) => {
                  scopes.value = SCOPES.filter((one) =>
                    one === scope ? checked : scopes.value.includes(one),
                  );
                }}
              />
              <span>
                {texts.scopeNames[scope][0]} <code class="soft">{scope}</code>
                <span class="soft small-text">{texts.scopeNames[scope][1]}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <div class="field">
          <label for="token-expiry">{texts.expiry}</label>
          <select
            id="token-expiry"
            class="input"
            value={expiry.value}
            onChange={({ currentTarget }) => {
              expiry.value = currentTarget.value;
            }}
          >
            {Object.entries(texts.expiries).map(([days, text]) => (
              <option key={days} value={days}>
                {text}
              </option>
            ))}
            <option value={NEVER}>{texts.never}</option>
          </select>
          <span class="soft small-text" aria-live="polite">
            {expiry.value === NEVER && texts.neverWarning}
          </span>
        </div>
        {error.value !== undefined && nameFault === undefined && (
          <p class="note bad" role="alert">
            <Icon name="warning" />
            {faults[0]?.message ?? messageOf(error.value)}
          </p>
        )}
        <p class="row end">
          <button type="button" class="button" disabled={isBusy.value} onClick={onClose}>
            {shared.dialog.cancel}
          </button>
          <button
            type="submit"
            class="button primary"
            disabled={isBusy.value || name.value.trim() === '' || scopes.value.length === 0}
          >
            {texts.create}
          </button>
        </p>
      </form>
    </Dialog>
  );
}

/** The time of an expiry in so many days. */
function expiryOf(days: string): string | null {
  if (days === NEVER) return null;
  return new Date(Date.now() + Number(days) * 86_400_000).toISOString();
}
