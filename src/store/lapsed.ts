/**
 * SQL for whether the role of an admin is over, by the clock: `now()` is when the transaction began. That of the last active admin
 * never is: where all have an end that is past, the one that ended last stays, and of several the one with the highest id. A `case`, since
 * an `and` would look for the other admins also of one whose role has no end. `others` is a further condition for those.
 */
export const lapsedSql = (users: string, others = '') => `case
  when ${users}.role = 'admin' and ${users}.role_until <= clock_timestamp() then exists (
    select from users as other
     where other.role = 'admin' and other.status = 'active'
       and (coalesce(other.role_until, 'infinity'), other.id) > (${users}.role_until, ${users}.id) ${others}
  ) else false end`;
