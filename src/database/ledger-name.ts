/** The table of the migrations that have been applied. */
export const LEDGER = 'rollcall_migrations';

/** The ledger's name in a schema, which is `public` unless it is known. A schema with a dot in its name is refused before. */
export function ledgerName(schema: string | undefined): string {
  return schema === undefined ? LEDGER : `${schema}.${LEDGER}`;
}
