import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { askedForReason, lastReason } from '../data/reason.ts';
import { history } from '../texts/history.ts';
import { texts } from '../texts.ts';
import { Dialog } from './dialog.tsx';

/** The most characters of a reason that the service takes. */
const MAX_LENGTH = 500;

/** Why a change was made, where its author has said so. */
export function Reason({ text }: { text: string | null }) {
  if (text === null) return null;
  return (
    <p class="reason">
      <span class="unseen">{history.reason}: </span>
      <bdi>{text}</bdi>
    </p>
  );
}

/** A field for the reason of a write. */
export function ReasonField({
  value,
  isNeeded = false,
  onInput,
}: {
  value: string;
  isNeeded?: boolean;
  onInput: (text: string) => void;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{isNeeded ? history.reason : history.reasonOptional}</label>
      <input
        id={id}
        class="input"
        type="text"
        dir="auto"
        required={isNeeded}
        maxLength={MAX_LENGTH}
        placeholder={history.reasonExample}
        value={value}
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
      />
    </div>
  );
}

/** Where the reader is asked why, when the service does not take a write without that. */
export function ReasonDialogs() {
  const asked = askedForReason.value;
  return asked && <ReasonDialog answer={asked.answer} />;
}

function ReasonDialog({ answer }: { answer: (reason: string | undefined) => void }) {
  const text = useSignal(lastReason.peek());
  return (
    <Dialog title={history.reasonTitle} onClose={() => answer(undefined)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.value.trim() !== '') answer(text.value.trim());
        }}
      >
        <h2>{history.reasonTitle}</h2>
        <p class="soft">{history.reasonNeeded}</p>
        <ReasonField
          value={text.value}
          isNeeded
          onInput={(typed) => {
            text.value = typed;
          }}
        />
        <p class="row end">
          <button type="button" class="button" onClick={() => answer(undefined)}>
            {texts.dialog.cancel}
          </button>
          <button type="submit" class="button primary">
            {history.goOn}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
