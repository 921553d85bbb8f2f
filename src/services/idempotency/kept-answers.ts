import type { EntityManager } from '@mikro-orm/postgresql';
import type { KeptAnswer, KeyedRequest } from '../../domain/kept-answer.ts';
import { refusals } from '../../domain/refusals.ts';
import { IS_OLD } from '../../store/kept-answers.ts';
import { runAlone } from '../../store/statements.ts';

/** How many kept answers one statement deletes: it must end within the statement timeout. */
const CHUNK_SIZE = 10_000;

interface Row {
  readonly fingerprint: string | null;
  readonly headers: Readonly<Record<string, string>> | null;
  readonly body: string | null;
}

/**
 * Finds the answer to a request that was carried out within the last day; `undefined` where none was. Throws
 * `idempotency_key_reused` where that was another request, and `answer_gone` where its answer was erased or too large to keep.
 */
export async function findAnswer(
  em: EntityManager,
  { digest, fingerprint }: KeyedRequest,
): Promise<KeptAnswer | undefined> {
  const [row] = await runAlone<Row>(em, {
    text: `select fingerprint, headers, body from kept_answers as kept where digest = $1 and not (${IS_OLD})`,
    values: [digest],
  });
  if (row === undefined) return undefined;
  // An erased one does not know its request any more.
  if (row.fingerprint !== null && row.fingerprint !== fingerprint) throw refusals.idempotencyKeyReused();
  if (row.headers === null) throw refusals.answerGone();
  return { headers: row.headers, body: row.body };
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
