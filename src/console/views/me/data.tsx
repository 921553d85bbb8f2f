import { useSignal } from '@preact/signals';
import { Problem } from '../../../client/index.ts';
import { call } from '../../data/api.ts';
import { exportOwnData, OWN_DATA } from '../../data/download.ts';
import { dryRun } from '../../data/dry-run.ts';
import { useLoaded } from '../../data/load.ts';
import { leavePage } from '../../data/session.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { Diff } from '../../parts/diff.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Bones, messageOf } from '../../parts/states.tsx';
import { sayFault } from '../../parts/toasts.tsx';
import { meTexts } from '../../texts/me.ts';
import { texts as shared } from '../../texts.ts';

const texts = meTexts.deletion;

/** My data: take it along, or have it deleted. */
export function MyData({ email }: { email: string }) {
  const isDeleting = useSignal(false);
  return (
    <section class="box">
      <header>
        <h2>{meTexts.data.title}</h2>
      </header>
      <ul class="items">
        <li class="item">
          <p>{meTexts.data.exportText}</p>
          <a
            class="button"
            href={OWN_DATA}
            download="account.json"
            onClick={(event) => {
              event.preventDefault();
              exportOwnData().catch(sayFault);
            }}
          >
            <Icon name="down" />
            {meTexts.data.export}
          </a>
        </li>
        <li class="item">
          <p>{meTexts.data.deleteText}</p>
          <button
            type="button"
            class="button danger"
            onClick={() => {
              isDeleting.value = true;
            }}
          >
            {meTexts.data.delete}
          </button>
        </li>
      </ul>
      {isDeleting.value && (
        <Deletion
          email={email}
          onClose={() => {
            isDeleting.value = false;
          }}
        />
      )}
    </section>
  );
}

function Deletion({ email, onClose }: { email: string; onClose: () => void }) {
  const preview = useLoaded('delete', (signal) => dryRun('DELETE /v1/me', { signal }));
  const typed = useSignal('');
  const isBusy = useSignal(false);
  const isDone = useSignal(false);
  const fault = useSignal<unknown>(undefined);
  const error = fault.value ?? preview.error;
  const submit = async () => {
    isBusy.value = true;
    fault.value = undefined;
    try {
      await call('DELETE /v1/me');
      isDone.value = true;
    } catch (thrown) {
      fault.value = thrown;
    }
    isBusy.value = false;
  };
  if (isDone.value) {
    return (
      <Dialog title={texts.done} onClose={leavePage}>
        <div class="body" role="status">
          <h2>{texts.done}</h2>
          <p>{texts.doneText}</p>
          <p class="row end">
            <button type="button" class="button primary" onClick={leavePage}>
              {texts.leave}
            </button>
          </p>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={texts.title} onClose={onClose} mayClose={!isBusy.value}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <h2>{texts.title}</h2>
        {error !== undefined && (
          <p class="note bad" role="alert">
            <Icon name="warning" />
            {error instanceof Problem && error.code === 'last_admin' ? texts.lastAdmin : messageOf(error)}
          </p>
        )}
        {preview.data && (
          <>
            <ul class="dots">
              {texts.effects.map((effect) => (
                <li key={effect}>{effect}</li>
              ))}
            </ul>
            <details>
              <summary>{texts.removed}</summary>
              {preview.data.changes.map(({ userId, before, after }) => (
                <Diff key={userId} before={before} after={after} />
              ))}
            </details>
            <div class="field">
              <label for="delete-email">
                {texts.confirm} <bdi>{email}</bdi>
              </label>
              <input
                id="delete-email"
                class="input"
                type="email"
                autocomplete="off"
                value={typed.value}
                onInput={({ currentTarget }) => {
                  typed.value = currentTarget.value;
                }}
              />
            </div>
          </>
        )}
        {preview.isLoading && <Bones lines={6} />}
        <p class="row end">
          <button type="button" class="button" disabled={isBusy.value} onClick={onClose}>
            {shared.dialog.cancel}
          </button>
          {preview.data && (
            <button
              type="submit"
              class="button danger solid"
              disabled={isBusy.value || typed.value.trim().toLowerCase() !== email.toLowerCase()}
            >
              {texts.delete}
            </button>
          )}
        </p>
      </form>
    </Dialog>
  );
}
