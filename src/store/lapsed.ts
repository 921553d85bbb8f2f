/** What differs from place to place. */
interface LapsedOptions {
  /** The table of the accounts. */
  readonly accounts?: string;
  readonly clock?: string;
  /** A further condition for the other admins. */
  readonly others?: string;
}

/**
 * SQL for whether the role of an admin is over, by the clock: `now()` is when the transaction began. That of the last active admin
 * never is: where all have an end that is past, the one that ended last stays, and of several the one with the highest id. A `case`, since
 * an `and` would look for the other admins also of one whose role has no end.
 */
export const lapsedSql = (
  users: string,
  { accounts = 'users', clock = 'clock_timestamp()', others = '' }: LapsedOptions = {},
) => `case
  when ${users}.role = 'admin' and ${users}.role_until <= ${clock} then exists (
    select from ${accounts} as other
     where other.role = 'admin' and other.status = 'active'
       and (coalesce(other.role_until, 'infinity'), other.id) > (${users}.role_until, ${users}.id) ${others}
  ) else false end`;
