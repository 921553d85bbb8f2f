import { signal } from '@preact/signals';
import { texts } from '../texts.ts';
import { Icon } from './icons.tsx';
import { messageOf } from './states.tsx';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isBad: boolean;
  readonly action?: { readonly label: string; readonly run: () => void };
}

const shown = signal<readonly Toast[]>([]);
let last = 0;

/** How long a message stays, in milliseconds; one with a fault or something to do stays until it is closed. */
const STAYS_MS = 5_000;

/** Says that something was done, with what the reader may do about it. */
export function say(text: string, action?: Toast['action']): void {
  add({ id: ++last, text, isBad: false, ...(action && { action }) });
}

/** Says that something failed. */
export function sayFault(error: unknown): void {
  add({ id: ++last, text: messageOf(error), isBad: true });
}

function add(toast: Toast): void {
  shown.value = [...shown.value.slice(-3), toast];
  if (!toast.isBad && !toast.action) setTimeout(() => drop(toast.id), STAYS_MS);
}

function drop(id: number): void {
  shown.value = shown.value.filter((toast) => toast.id !== id);
}

/** The messages of the page. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.value.map(({ id, text, isBad, action }) => (
        <div key={id} class={isBad ? 'toast bad' : 'toast'}>
          <span>{text}</span>
          <span class="row">
            {action && (
              <button
                type="button"
                class="button small"
                onClick={() => {
                  drop(id);
                  action.run();
                }}
              >
                {action.label}
              </button>
            )}
            <button type="button" class="button plain small" onClick={() => drop(id)}>
              <Icon name="cross" />
              <span class="unseen">{texts.dialog.close}</span>
            </button>
          </span>
        </div>
      ))}
    </div>
  );
}
