import type { LiveChange } from '../data/live.ts';
import { Icon, type IconName } from './icons.tsx';

/** The mark of a change: an icon and a colour for each kind, beside the words that say it. */
export function ChangeMark({ change }: { change: LiveChange }) {
  const [icon, look] = markOf(change);
  return (
    <span class={`mark ${look}`}>
      <Icon name={icon} />
    </span>
  );
}

function markOf({ action, undoes, before, after }: LiveChange): readonly [IconName, string] {
  if (undoes !== null) return ['undo', 'accent'];
  if (action === 'created') return ['plus', 'good'];
  if (action === 'deleted') return ['remove', 'bad'];
  if (after?.status !== undefined) {
    return after.status === 'active' ? ['check', 'good'] : ['turnedAway', 'warn'];
  }
  const fields = Object.keys({ ...before, ...after });
  if (fields.includes('role') || fields.includes('roleUntil')) return ['role', ''];
  return [fields.join() === 'preferences' ? 'settings' : 'edit', ''];
}
