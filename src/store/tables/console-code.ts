import { defineEntity, p } from '@mikro-orm/core';
import { UserSchema } from '../../domain/user.ts';

/** The table of one-time codes that sign in to the console, described for the comparison with the migrations: its rows are not entities. */
export const ConsoleCodeSchema = defineEntity({
  name: 'ConsoleCode',
  tableName: 'console_codes',
  indexes: [{ name: 'console_codes_account_id_index', properties: ['account'] }],
  properties: {
    digest: p.string().length(64).primary(),
    account: () =>
      p
        .manyToOne(UserSchema)
        .index(false)
        .deleteRule('cascade')
        .foreignKeyName('console_codes_account_id_foreign'),
    expiresAt: p.datetime().columnType('timestamptz'),
  },
});
