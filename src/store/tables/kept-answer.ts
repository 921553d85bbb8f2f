import { defineEntity, p } from '@mikro-orm/core';

/** The table of answers kept under idempotency keys, described for the comparison with the migrations: its rows are not entities. */
export const KeptAnswerSchema = defineEntity({
  name: 'KeptAnswer',
  tableName: 'kept_answers',
  indexes: [
    { name: 'kept_answers_at_index', properties: ['at'] },
    { name: 'kept_answers_account_id_index', properties: ['accountId'] },
    { name: 'kept_answers_subject_id_index', properties: ['subjectId'] },
  ],
  properties: {
    digest: p.string().length(64).primary(),
    // Without one, it was erased.
    fingerprint: p.string().length(64).nullable(),
    accountId: p.integer().nullable(),
    subjectId: p.integer().nullable(),
    at: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    // Without them, the answer is gone; its request was carried out all the same.
    headers: p.json<Record<string, string>>().nullable(),
    body: p.text().nullable(),
  },
});
