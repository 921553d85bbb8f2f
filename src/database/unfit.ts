/**
 * The database is not as Rollcall needs it, or `DATABASE_URL` does not say how to reach it. The message tells the operator
 * what to do, with the statement to run where there is one. Waiting does not help.
 */
export class DatabaseUnfit extends Error {
  override readonly name = 'DatabaseUnfit';
}
