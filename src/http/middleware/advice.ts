/** What an operator does about refusals that are no fault of the caller, by code, but for overload, which is logged once. A test compares them with the refusals. */
const ADVICE: Readonly<Record<string, string>> = {
  database_unavailable: 'database unavailable; if this lasts, check the database and the network',
  identity_provider_unavailable:
    'keys of the identity provider needed but unavailable; check its address and the network',
  lock_timeout:
    'a lock was held for too long; if this lasts, end the session in pg_stat_activity that holds it',
  not_ready: 'not ready; if this lasts, see the reason',
  storage_unavailable: 'upload not stored; make room in the folder for temporary files, or set TMPDIR',
  transfers_busy: 'all places of imports and exports taken; if this lasts, raise TRANSFERS_MAX',
};

/** The codes with advice. */
export const ADVISED_CODES: readonly string[] = Object.keys(ADVICE);

/** The message of the log about a refusal with this code and a status above 500. */
export function adviceOn(code: string): string {
  return ADVICE[code] ?? 'request refused by no fault of the caller; see the reason';
}
