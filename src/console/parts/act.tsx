import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { Problem } from '../../client/index.ts';
import type { PlannedChange } from '../data/dry-run.ts';
import { useLoaded } from '../data/load.ts';
import { texts } from '../texts.ts';
import { Dialog } from './dialog.tsx';
import { Diff } from './diff.tsx';
import { Icon } from './icons.tsx';
import { ReasonField } from './reason.tsx';
import { Bones, messageOf } from './states.tsx';

/** A dialog about a write that is worth a second look: it shows what a dry run would change, and then asks. */
export function ActDialog({
  title,
  label,
  isDanger = false,
  plan,
  act,
  onClose,
  explain,
  intro,
  children,
}: {
  title: string;
  /** What the button says. */
  label: string;
  isDanger?: boolean;
  plan: (signal: AbortSignal) => Promise<readonly PlannedChange[]>;
  act: (reason?: string) => Promise<unknown>;
  onClose: () => void;
  /** What a refusal says. */
  explain?: (error: unknown) => ComponentChildren;
  /** What is said before what will change. */
  intro: string;
  children: ComponentChildren;
}) {
  const planned = useLoaded('', plan);
  const isBusy = useSignal(false);
  const fault = useSignal<unknown>(undefined);
  const reason = useSignal('');
  const refusal = fault.value ?? planned.error;
  const run = async () => {
    isBusy.value = true;
    fault.value = undefined;
    try {
      const why = reason.value.trim();
      await act(why === '' ? undefined : why);
      onClose();
    } catch (error) {
      fault.value = error;
      isBusy.value = false;
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="body">
        <h2>{title}</h2>
        {children}
        <div class="plan" aria-live="polite" aria-busy={planned.isLoading}>
          {refusal !== undefined ? (
            <div class="stack" role="alert">
              {explain?.(refusal) ?? <Refused text={messageOf(refusal)} />}
              {refusal instanceof Problem && refusal.details.status >= 500 && (
                <p class="soft mono">{texts.states.request(refusal.details.requestId)}</p>
              )}
            </div>
          ) : planned.data === undefined ? (
            <Bones lines={3} />
          ) : (
            <div class="stack">
              <p>{intro}</p>
              {planned.data.map((change) => (
                <Diff
                  key={`${change.userId} ${change.version}`}
                  before={change.before}
                  after={change.after}
                />
              ))}
            </div>
          )}
        </div>
        {planned.data !== undefined && (
          <ReasonField
            value={reason.value}
            onInput={(text) => {
              reason.value = text;
            }}
          />
        )}
        <div class="row end">
          <button type="button" class="button" onClick={onClose}>
            {texts.dialog.cancel}
          </button>
          {planned.error !== undefined && isWorthAnother(planned.error) ? (
            <button type="button" class="button" disabled={planned.isLoading} onClick={planned.reload}>
              {texts.states.retry}
            </button>
          ) : (
            <button
              type="button"
              class={isDanger ? 'button danger' : 'button primary'}
              disabled={isBusy.value || planned.data === undefined || planned.error !== undefined}
              onClick={run}
            >
              {label}
            </button>
          )}
        </div>
      </div>
    </Dialog>
  );
}

/** What is refused, in words. */
export function Refused({ text }: { text: string }) {
  return (
    <p class="note bad">
      <Icon name="warning" />
      {text}
    </p>
  );
}

/** Whether the same question may have another answer: the service did not answer, or failed. */
function isWorthAnother(error: unknown): boolean {
  return !(error instanceof Problem) || error.details.status >= 500;
}
