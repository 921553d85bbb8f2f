import type { EntityManager } from '@mikro-orm/postgresql';
import { hasLostRace, isCrowded, isLockTimeout, isUnavailable } from '../../database/driver-errors.ts';
import type { ReadReplica } from './read-replica.ts';

/** What a read needs of a replica. */
export interface ReadNeeds {
  /** Everything that was committed before this moment. */
  readonly until?: Date | undefined;
  /** Everything that is committed now. */
  readonly isWhole?: boolean;
}

/** Reads what may be a little late: from a replica where there is one that will do, and otherwise from the primary. */
export interface Reader {
  /** Runs `work` with an EntityManager for reading: again, with that of the primary, where the replica fails it. */
  read<T>(work: (em: EntityManager) => Promise<T>, needs?: ReadNeeds): Promise<T>;
  /** Yields what `work` yields. What has begun on a replica ends with it. */
  stream<T>(work: (em: EntityManager) => AsyncGenerator<T>, needs?: ReadNeeds): AsyncGenerator<T>;
}

/** Reads from the primary alone. */
export function primaryReader(em: EntityManager): Reader {
  return { read: (work) => work(em), stream: (work) => work(em) };
}

/** Chooses a replica for a read; `undefined`: the primary. */
export type ChooseReplica = (needs: ReadNeeds) => Promise<ReadReplica | undefined>;

/** Reads from the chosen replica, and otherwise with `em`, that of the primary. */
export function replicaReader(em: EntityManager, choose: ChooseReplica): Reader {
  return {
    async read(work, needs = {}) {
      const replica = await choose(needs);
      if (replica === undefined) return work(em);
      try {
        return await replica.read(work);
      } catch (error) {
        requireFaultOf(replica, error);
        return work(em);
      }
    },
    async *stream(work, needs = {}) {
      const replica = await choose(needs);
      const begun = replica && (await begin(replica, work));
      if (begun === undefined) yield* work(em);
      else yield* begun;
    },
  };
}

/** Begins to read from a replica: what it yields, once the first piece is there; `undefined` where the replica fails it before. */
async function begin<T>(
  replica: ReadReplica,
  work: (em: EntityManager) => AsyncGenerator<T>,
): Promise<AsyncGenerator<T> | undefined> {
  let pieces: AsyncGenerator<T> | undefined;
  try {
    const first = await replica.read((em) => {
      pieces = work(em);
      return pieces.next();
    });
    return behind(first, pieces as AsyncGenerator<T> | undefined);
  } catch (error) {
    // It lets go once the replica answers, or the connection is closed.
    void pieces?.return(undefined).catch(() => undefined);
    requireFaultOf(replica, error);
    return undefined;
  }
}

async function* behind<T>(
  first: IteratorResult<T>,
  others: AsyncGenerator<T> | undefined,
): AsyncGenerator<T> {
  try {
    if (first.done) return;
    yield first.value;
    if (others) yield* others;
  } finally {
    await others?.return(undefined);
  }
}

/** PostgreSQL's code of a statement that took too long: on the primary it would too. */
const QUERY_CANCELED = '57014';

/**
 * Throws an error that is not the replica's fault. Its fault are a connection that is gone, and what the replay of the log is in
 * conflict with: rows that it removes (40001), and locks that it takes (55P03, 40P01). One that is merely full is as good as before.
 */
function requireFaultOf(replica: ReadReplica, error: unknown): void {
  if (hasLostRace(error) || isLockTimeout(error) || isCrowded(error)) return;
  if (!isUnavailable(error) || (error as { code?: string }).code === QUERY_CANCELED) throw error;
  replica.suspect(error as Error);
}
