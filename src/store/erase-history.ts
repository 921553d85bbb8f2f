import type { EntityManager } from '@mikro-orm/postgresql';
import { ERASED_ACTOR } from '../domain/change.ts';

/** How many entries one statement erases: it must end within the statement timeout, however long a history is. */
const CHUNK_SIZE = 10_000;

const ERASABLE = `
  select id from changes
   where (user_id in (:ids) and erased_at is null)
      or (actor_id in (:ids) and actor <> '${ERASED_ACTOR}' || actor_id)`;

// Not the row: its request must not be carried out again.
const ERASE_ANSWER = 'fingerprint = null, headers = null, body = null';

// Does to entries of these accounts what `erased` in change.ts does to a draft, and erases what else is stored under their
// emails, which each entry has as they were and as they became.
const ERASE = `
  with unfiled as (
    delete from change_fields
     using changes cross join unnest(changes.fields) as path
       cross join lateral (values (path, strpos(path, '.') > 0), ('*' || path, true)) as known (name, tells)
     where changes.id in (:entries) and user_id in (:ids) and tells
       and field = name and change_fields.action = changes.action and change_fields.at = changes.at
       and change_id = changes.id
  ), addresses as (
    -- But not an email that another account has now.
    select distinct user_id, known.email from changes cross join unnest(array[before->>'email', after->>'email']) as known (email)
     where changes.id in (:entries) and user_id in (:ids) and known.email is not null
       and not exists (select from users where users.email = known.email)
  ), forgotten as (
    delete from refused_sign_ins using addresses where refused_sign_ins.email = addresses.email
  ), unkept as (
    -- The answers about no account in particular, such as the report of an import.
    update kept_answers set ${ERASE_ANSWER} from addresses
     where subject_id is null and strpos(body, trim(both '"' from to_json(email)::text)) > 0
  ), renamed as (
    -- Tokens from before they knew their authors' ids.
    update service_tokens set
      created_by = case when created_by_id is null and created_by = email then '${ERASED_ACTOR}' || user_id else created_by end,
      revoked_by = case when revoked_by_id is null and revoked_by = email then '${ERASED_ACTOR}' || user_id else revoked_by end
      from addresses where email in (created_by, revoked_by)
  )
  update changes set
    before = case when user_id in (:ids) then null else before end,
    after = case when user_id in (:ids) then null else after end,
    reason = case when user_id in (:ids) then null else reason end,
    fields = case when user_id in (:ids)
      then array(select name from unnest(fields) as name where strpos(name, '.') = 0) else fields end,
    erased_at = case when user_id in (:ids) then coalesce(erased_at, clock_timestamp()) else erased_at end,
    actor = case when actor_id in (:ids) then '${ERASED_ACTOR}' || actor_id else actor end
  where id in (:entries)`;

// What is known of these accounts outside of the history, each by its id.
const ERASE_ELSEWHERE = [
  `update kept_answers set ${ERASE_ANSWER} where account_id in (:ids)`,
  `update kept_answers set ${ERASE_ANSWER} where subject_id in (:ids)`,
  // The answers about several accounts, which show changes of each.
  `update kept_answers set ${ERASE_ANSWER} from unnest(array[:ids]::int[]) as erased (id)
    where subject_id is null and strpos(body, '"userId":' || erased.id || ',') > 0`,
  `with gone as (delete from identities where user_id in (:ids) returning email)
   delete from refused_sign_ins using gone
    where refused_sign_ins.email = gone.email and not exists (select from users where users.email = gone.email)`,
  ...[
    ['service_tokens', 'created_by'],
    ['service_tokens', 'revoked_by'],
    ['identities', 'cut_by'],
  ].map(
    ([table, column]) =>
      `update ${table} set ${column} = '${ERASED_ACTOR}' || ${column}_id where ${column}_id in (:ids)`,
  ),
];

/**
 * Erases accounts, in the transaction of `em`: their entries in the history lose their values, everything they did to anything
 * becomes the act of `erased-<id>`, and their identities and refused sign-ins are deleted. Kept answers lose what they say; their
 * rows stay, so that no request is carried out again. The facts stay. It may run again, for what has been written since. Throws
 * the reason of `signal` when it aborts; then nothing may be committed.
 */
export async function eraseHistory(
  em: EntityManager,
  ids: readonly number[],
  signal?: AbortSignal,
): Promise<void> {
  if (ids.length === 0) return;
  // Searching again for each chunk would take longer with every chunk.
  await em.execute(`declare erasable no scroll cursor for ${ERASABLE}`, { ids });
  for (let isMore = true; isMore; ) {
    signal?.throwIfAborted();
    const rows = await em.execute<{ id: string }[]>(`fetch ${CHUNK_SIZE} from erasable`);
    if (rows.length > 0) await em.execute(ERASE, { ids, entries: rows.map(({ id }) => id) });
    isMore = rows.length === CHUNK_SIZE;
  }
  await em.execute('close erasable');
  for (const statement of ERASE_ELSEWHERE) await em.execute(statement, { ids });
}
