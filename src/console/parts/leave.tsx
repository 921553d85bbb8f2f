import { askedToLeave } from '../data/drafts.ts';
import { texts } from '../texts.ts';
import { Dialog } from './dialog.tsx';

/** Where somebody is asked who is about to leave unsaved work. */
export function LeaveDialogs() {
  const asked = askedToLeave.value;
  if (asked === undefined) return null;
  const { title, text, stay, discard } = texts.leave;
  return (
    <Dialog title={title} onClose={() => asked.answer(false)}>
      <div class="body">
        <h2>{title}</h2>
        <p>{text}</p>
        <p class="row end">
          <button type="button" class="button" onClick={() => asked.answer(false)}>
            {stay}
          </button>
          <button type="button" class="button danger" onClick={() => asked.answer(true)}>
            {discard}
          </button>
        </p>
      </div>
    </Dialog>
  );
}
