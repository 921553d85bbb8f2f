import { signal, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { Problem } from '../../../client/index.ts';
import { call } from '../../data/api.ts';
import { useDraft, useGo } from '../../data/drafts.ts';
import { viewUrl } from '../../data/place.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { messageOf } from '../../parts/states.tsx';
import { say } from '../../parts/toasts.tsx';
import { texts } from '../../texts.ts';

const isAsked = signal(false);

/** How many accounts have been created here: a list that shows another number is old. */
export const created = signal(0);

/** Asks who gets a new account. */
export function askToCreate(): void {
  isAsked.value = true;
}

/** Where the dialog of {@link askToCreate} appears, whatever view is open. */
export function CreateDialogs() {
  return isAsked.value ? <CreateAccount onClose={() => (isAsked.value = false)} /> : null;
}

function CreateAccount({ onClose }: { onClose: () => void }) {
  const go = useGo();
  const email = useSignal('');
  const name = useSignal('');
  const role = useSignal<'user' | 'admin'>('user');
  const fault = useSignal<unknown>(undefined);
  const isBusy = useSignal(false);
  // Tried again after an answer that got lost, it is still one account.
  const key = useRef(crypto.randomUUID());
  useDraft(email.value !== '' || name.value !== '');
  const faults = fault.value instanceof Problem ? (fault.value.details.errors ?? []) : [];
  const faultOf = (field: string) => faults.find(({ path }) => path === field)?.message;
  const submit = async (event: Event) => {
    event.preventDefault();
    isBusy.value = true;
    try {
      const account = await call('POST /v1/users', {
        idempotencyKey: key.current,
        body: {
          email: email.value.trim(),
          role: role.value,
          ...(name.value.trim() && { name: name.value.trim() }),
        },
      });
      say(texts.create.done(account.email), {
        label: texts.create.open,
        run: () => go(viewUrl(`/accounts/${account.id}`)),
      });
      created.value++;
      onClose();
    } catch (error) {
      fault.value = error;
      // What was refused was not done: with other values, it is another request.
      if (error instanceof Problem) key.current = crypto.randomUUID();
    }
    isBusy.value = false;
  };
  const emailFault =
    faultOf('email') ?? (fault.value && !faultOf('name') ? messageOf(fault.value) : undefined);
  return (
    <Dialog title={texts.create.title} onClose={onClose}>
      <form onSubmit={submit}>
        <h2>{texts.create.title}</h2>
        <div class="field">
          <label for="create-email">{texts.create.email}</label>
          <input
            id="create-email"
            class="input"
            type="email"
            required
            maxLength={255}
            autocomplete="off"
            value={email.value}
            aria-invalid={emailFault !== undefined}
            aria-describedby="create-email-fault"
            onInput={({ currentTarget }) => {
              email.value = currentTarget.value;
            }}
          />
          <span id="create-email-fault" class="fault" role="alert">
            {emailFault}
          </span>
        </div>
        <div class="field">
          <label for="create-name">
            {texts.create.name} <span class="soft">({texts.create.optional})</span>
          </label>
          <input
            id="create-name"
            class="input"
            dir="auto"
            maxLength={255}
            autocomplete="off"
            value={name.value}
            aria-invalid={faultOf('name') !== undefined}
            aria-describedby="create-name-fault"
            onInput={({ currentTarget }) => {
              name.value = currentTarget.value;
            }}
          />
          <span id="create-name-fault" class="fault" role="alert">
            {faultOf('name')}
          </span>
        </div>
        <div class="field">
          <label for="create-role">{texts.create.role}</label>
          <select
            id="create-role"
            class="input"
            value={role.value}
            onChange={({ currentTarget }) => {
              role.value = currentTarget.value as 'user' | 'admin';
            }}
          >
            {(['user', 'admin'] as const).map((one) => (
              <option key={one} value={one}>
                {texts.roles[one]}
              </option>
            ))}
          </select>
        </div>
        <div class="row end">
          <button type="button" class="button" onClick={onClose}>
            {texts.dialog.cancel}
          </button>
          <button type="submit" class="button primary" disabled={isBusy.value}>
            {texts.create.submit}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
