import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { texts } from '../texts.ts';
import { Dialog } from './dialog.tsx';
import { Icon } from './icons.tsx';
import { messageOf } from './states.tsx';

/** Asks before something that is worth a second thought. `run` throws why it was not done: the dialog stays, and says so. */
export function Confirm({
  title,
  label,
  cancel = texts.dialog.cancel,
  isDanger = true,
  run,
  onClose,
  onStop,
  children,
}: {
  title: string;
  /** What the button does. */
  label: string;
  /** What the other button says, which does nothing. */
  cancel?: string;
  /** Whether it cannot be undone. */
  isDanger?: boolean;
  run: () => Promise<void>;
  onClose: () => void;
  /** Ends what is under way before it is done; where it is missing, that cannot be. */
  onStop?: () => void;
  children: ComponentChildren;
}) {
  const isBusy = useSignal(false);
  const fault = useSignal<string | undefined>(undefined);
  return (
    <Dialog title={title} onClose={onClose} mayClose={!isBusy.value}>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          isBusy.value = true;
          fault.value = undefined;
          try {
            await run();
            onClose();
          } catch (error) {
            fault.value = messageOf(error);
            isBusy.value = false;
          }
        }}
      >
        <h2>{title}</h2>
        {children}
        {fault.value !== undefined && (
          <p class="note bad" role="alert">
            <Icon name="warning" />
            {fault.value}
          </p>
        )}
        <p class="row end">
          <button
            type="button"
            class="button"
            disabled={isBusy.value && !onStop}
            onClick={isBusy.value ? onStop : onClose}
          >
            {isBusy.value && onStop ? texts.dialog.stop : cancel}
          </button>
          <button
            type="submit"
            class={isDanger ? 'button danger solid' : 'button primary'}
            disabled={isBusy.value}
          >
            {label}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
