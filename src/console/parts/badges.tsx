import { texts } from '../texts.ts';
import { Icon } from './icons.tsx';
import { Time } from './time.tsx';

/** The role of an account, and when it ends by itself. */
export function RoleBadge({
  role,
  until = null,
  as = 'day',
}: {
  role: string;
  until?: string | null;
  /** How its end is said. */
  as?: 'day' | 'moment';
}) {
  if (role === 'user') return <span class="soft">{texts.roles[role]}</span>;
  if (until === null) return <span class="badge accent">{texts.roles[role] ?? role}</span>;
  return (
    <span class="role">
      <span class="badge accent">
        <Icon name="clock" />
        {texts.roles[role] ?? role}
      </span>{' '}
      <span class="soft">
        <span class="until">{texts.until}</span> <Time at={until} as={as} />
      </span>
    </span>
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
