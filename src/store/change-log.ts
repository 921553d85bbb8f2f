import type { EntityManager } from '@mikro-orm/postgresql';
import { authorOf } from '../domain/author.ts';
import { type Change, type ChangeDraft, ERASED_ACTOR } from '../domain/change.ts';
import { refuseServices } from './service-limits.ts';
import { placeOf } from './tables/feed-shift.ts';

/** The channel on which a commit that has changed accounts says so, and nothing else. */
export const CHANGES_CHANNEL = 'rollcall_changes';

/** Calls `tell` at once, and whenever there may be new changes, until it is stopped. */
export type ListenForChanges = (tell: () => void) => { stop(): Promise<void> };

// The place in the feed is that of the transaction, but never before the account's last change: a transaction that began
// earlier can come to an account later. Such a place is still above what the feed serves while the transaction runs.
// A time is the account's own `updated_at`; a deletion comes after everything that was.
const RECORD = `
  with written as (
    insert into changes (transaction_id, at, actor_id, actor, request_id, user_id, action, before, after, fields, version, undoes, erased_at)
    select greatest(${placeOf('pg_current_xact_id()')}, last.transaction_id),
           coalesce(users.updated_at, greatest(clock_timestamp(), last.at + interval '1 millisecond')),
           ?::int, ?::text, ?::text, draft.user_id, draft.action, draft.before, draft.after, draft.fields, draft.version, ?::bigint,
           case when draft.erased then clock_timestamp() end
      from jsonb_to_recordset(?::jsonb) as draft
           (ordinal int, user_id int, action text, before jsonb, after jsonb, fields text[], version int, erased boolean)
      left join users on users.id = draft.user_id and draft.action <> 'deleted'
      left join lateral (
        select transaction_id, at from changes
         where user_id = draft.user_id
         order by at desc, id desc limit 1
      ) as last on true
     order by draft.ordinal
    returning id, at, action, fields, erased_at
  ), indexed as (
    insert into change_fields (field, action, at, change_id)
    select field, action, at, id from written cross join unnest(fields) as field
     where action = 'updated' or field like 'preferences.%'
  )
  select id, at, erased_at from written cross join (select pg_notify('${CHANGES_CHANNEL}', '')) as told order by id`;

/**
 * Writes changes to the history in the name of the author of `em`, in the transaction of `em` and in one statement,
 * however many they are. To be called after the accounts themselves have been written, in the order of the changes.
 *
 * Throws `forbidden` where the author may not do that: no way to write an account leads past here.
 */
export async function recordChanges(em: EntityManager, drafts: readonly ChangeDraft[]): Promise<void> {
  if (drafts.length === 0) return;
  refuseServices(em, drafts);
  const { actorId, actor: name, requestId, undoes = null, onRecorded } = authorOf(em);
  const isErased = drafts.some(({ userId, erased }) => erased && userId === actorId);
  const actor = isErased ? `${ERASED_ACTOR}${actorId}` : name;
  const records = drafts.map(({ userId, ofAdmin, ...draft }, ordinal) => ({
    ...draft,
    ordinal,
    user_id: userId,
  }));
  const rows = await em.execute<{ id: string; at: string; erased_at: string | null }[]>(RECORD, [
    actorId,
    actor,
    requestId,
    undoes,
    JSON.stringify(records),
  ]);
  onRecorded?.(
    rows.map((row, index): Change => {
      const { fields, erased, ofAdmin, ...draft } = drafts[index] as ChangeDraft;
      // As the driver reads it, for whom times and big numbers are text.
      const [id, at] = [Number(row.id), em.getPlatform().parseDate(row.at)];
      const erasedAt = row.erased_at === null ? null : em.getPlatform().parseDate(row.erased_at);
      return { id, at, actorId, actor, requestId, ...draft, undoes, erasedAt };
    }),
  );
}
