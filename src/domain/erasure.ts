import type { EntityManager } from '@mikro-orm/postgresql';
import { ERASED_ACTOR } from './change.ts';

/** How many entries one statement erases: it must end within its time, however long a history is. */
const CHUNK_SIZE = 10_000;

// What `erased` in change.ts does to an entry that is about to be written; and what else is kept by a path of preferences or
// by an email, of which each entry has what it was and what it became.
const ERASE = `
  with erasable as (
    select id, user_id, action, at, fields, before->>'email' as was, after->>'email' as became,
           user_id in (:ids) as own, actor_id in (:ids) as acted
      from changes
     where (user_id in (:ids) and erased_at is null)
        or (actor_id in (:ids) and actor <> '${ERASED_ACTOR}' || actor_id)
     limit :size
  ), erased as (
    update changes set
      before = case when own then null else before end,
      after = case when own then null else after end,
      fields = case when own then array(select name from unnest(changes.fields) as name where strpos(name, '.') = 0) else changes.fields end,
      erased_at = case when own then coalesce(erased_at, clock_timestamp()) else erased_at end,
      actor = case when acted then '${ERASED_ACTOR}' || actor_id else actor end
     from erasable where changes.id = erasable.id
    returning 1
  ), unindexed as (
    delete from change_fields using erasable, unnest(erasable.fields) as path
     where own and strpos(path, '.') > 0 and change_fields.field = path
       and change_fields.action = erasable.action and change_fields.at = erasable.at and change_id = id
  ), addresses as (
    select distinct user_id, email from erasable, unnest(array[was, became]) as email where own and email is not null
  ), forgotten as (
    delete from refused_sign_ins using addresses where refused_sign_ins.email = addresses.email
  ), renamed as (
    update service_tokens set created_by = '${ERASED_ACTOR}' || user_id from addresses where created_by = email
  )
  select count(*)::int as count from erased`;

/**
 * Takes the persons out of the history, in the transaction of `em`: the entries of these accounts lose their values, and
 * whatever the accounts have done, to whomever, was done by `erased-<id>`; that they were turned away once is forgotten. The
 * facts stay. It can be done again, for what
 * has come since. Throws the reason of `signal` when it aborts; then nothing may be committed.
 */
export async function eraseHistory(
  em: EntityManager,
  ids: readonly number[],
  signal?: AbortSignal,
): Promise<void> {
  if (ids.length === 0) return;
  let count: number | undefined;
  do {
    signal?.throwIfAborted();
    [{ count } = { count: 0 }] = await em.execute<{ count: number }[]>(ERASE, { ids, size: CHUNK_SIZE });
  } while (count === CHUNK_SIZE);
}
