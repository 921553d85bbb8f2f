import { texts } from '../texts.ts';
import { Icon } from './icons.tsx';

/** The role of an account. */
export function RoleBadge({ role }: { role: string }) {
  return role === 'user' ? (
    <span class="soft">{texts.roles[role]}</span>
  ) : (
    <span class="badge accent">{texts.roles[role] ?? role}</span>
  );
}

/** The status of an account: told apart by an icon too, not by its colour alone. */
export function StatusBadge({ status }: { status: 'active' | 'suspended' }) {
  return status === 'active' ? (
    <span class="badge good">
      <Icon name="check" />
      {texts.statuses[status]}
    </span>
  ) : (
    <span class="badge warn">
      <Icon name="turnedAway" />
      {texts.statuses[status]}
    </span>
  );
}
