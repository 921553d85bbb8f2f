import { defineEntity, p } from '@mikro-orm/core';

/** The table of refused sign-ins, described for the comparison with the migrations: its rows are not entities. */
export const RefusedSignInSchema = defineEntity({
  name: 'RefusedSignIn',
  tableName: 'refused_sign_ins',
  indexes: [{ name: 'refused_sign_ins_last_at_index', properties: ['lastAt'] }],
  properties: {
    email: p.string().length(255).primary(),
    reason: p.string().length(50).primary(),
    count: p.integer().default(1),
    firstAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    lastAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
});
