import { OptimisticLockError } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { refusals } from '../domain/refusals.ts';
import { type AnswerToKeep, type KeptAnswer, type KeyedRequest, MAX_KEPT_BYTES } from './kept-answer.ts';
import { runAlone, runInTransaction } from './statements.ts';
import type { Unit } from './unit.ts';

/** How many kept answers one statement deletes: it must end within the statement timeout. */
const CHUNK_SIZE = 10_000;

/** The condition for a row of `kept_answers as kept` that is too old to be given. */
const IS_OLD = `kept.at <= now() - interval '1 day'`;

/**
 * Reserves a key until the transaction of `em` ends, however it ends, without waiting for whoever has it. Throws
 * `request_in_progress`.
 */
export async function reserveKey(em: EntityManager, { digest }: KeyedRequest): Promise<void> {
  const text = 'select pg_try_advisory_xact_lock(?) as free';
  const [row] = await em.execute<{ free: boolean }[]>(text, [lockOf(digest)]);
  if (!row?.free) throw refusals.requestInProgress();
}

/**
 * The key of the advisory lock that reserves a digest. Where two digests begin alike, one request is refused for the moment; the
 * primary key decides what has been carried out.
 */
export function lockOf(digest: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${digest.slice(0, 16)}`));
}

const KEEP = `
  insert into kept_answers as kept (digest, fingerprint, account_id, subject_id, headers, body)
  values ($1, $2, $3, $4, $5, $6)
  on conflict (digest) do update set
    (fingerprint, account_id, subject_id, at, headers, body) =
    (excluded.fingerprint, excluded.account_id, excluded.subject_id, excluded.at, excluded.headers, excluded.body)
   where ${IS_OLD}
  returning digest`;

/**
 * Keeps the answer of a unit, after the flush and in its transaction: what has committed is known by its key, whatever becomes of
 * the answer. Throws `OptimisticLockError` where the same key has just been used.
 */
export async function keepAnswer({ em }: Unit, toKeep: AnswerToKeep): Promise<void> {
  const { digest, fingerprint, accountId } = toKeep;
  const { headers, body } = toKeep.answer();
  const fits = bytesOf(body) <= MAX_KEPT_BYTES;
  const kept = fits ? [JSON.stringify(headers), body] : [null, null];
  const values = [digest, fingerprint, accountId, toKeep.subjectId(), ...kept];
  const rows = await runInTransaction(em, { text: KEEP, values });
  if (rows.length === 0) throw carriedOut();
}

/** How many bytes an answer takes; 0 for one that is not kept. */
export function keptSize({ answer }: AnswerToKeep): number {
  const bytes = bytesOf(answer().body);
  return bytes <= MAX_KEPT_BYTES ? bytes : 0;
}

interface Row {
  readonly fingerprint: string | null;
  readonly headers: Readonly<Record<string, string>> | null;
  readonly body: string | null;
}

/** What is kept of a request that was carried out within the last day. */
async function lookUp(em: EntityManager, digest: string): Promise<Row | undefined> {
  const text = `select fingerprint, headers, body from kept_answers as kept where digest = $1 and not (${IS_OLD})`;
  const [row] = await runAlone<Row>(em, { text, values: [digest] });
  return row;
}

/**
 * Finds the answer to a request that was carried out within the last day; `undefined` where none was. Throws
 * `idempotency_key_reused` where that was another request, and `answer_gone` where its answer was erased or too large to keep.
 */
export async function findAnswer(
  em: EntityManager,
  { digest, fingerprint }: KeyedRequest,
): Promise<KeptAnswer | undefined> {
  const row = await lookUp(em, digest);
  if (row === undefined) return undefined;
  // An erased one does not know its request any more.
  if (row.fingerprint !== null && row.fingerprint !== fingerprint) throw refusals.idempotencyKeyReused();
  if (row.headers === null) throw refusals.answerGone();
  return { headers: row.headers, body: row.body };
}

/**
 * Throws `OptimisticLockError` where the request of a unit that has failed was carried out meanwhile: what it was refused for may
 * be what the same request has just done, such as an email that is taken.
 */
export async function requireNotCarriedOut({ em }: Unit, { digest }: KeyedRequest): Promise<void> {
  if ((await lookUp(em, digest)) !== undefined) throw carriedOut();
}

/** Deletes the answers that are too old to be given. Throws the reason of `signal` when it aborts. */
export async function pruneAnswers(em: EntityManager, signal: AbortSignal): Promise<void> {
  for (let deleted = CHUNK_SIZE; deleted === CHUNK_SIZE; ) {
    signal.throwIfAborted();
    const rows = await runAlone(em, {
      text: `delete from kept_answers where digest in (
               select digest from kept_answers as kept where ${IS_OLD} limit $1 for update skip locked
             ) returning 1`,
      values: [CHUNK_SIZE],
    });
    deleted = rows.length;
  }
}

/** In a replay, the unit finds the answer. */
function carriedOut(): OptimisticLockError {
  return new OptimisticLockError('The same request was carried out meanwhile.');
}

function bytesOf(body: string | null): number {
  return body === null ? 0 : Buffer.byteLength(body);
}
