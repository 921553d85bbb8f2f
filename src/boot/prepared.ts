import type { EntityManager } from '@mikro-orm/postgresql';
import { isUnavailable } from '../database/driver-errors.ts';
import { findUnknownMigrations } from '../database/prepared.ts';
import { BEHIND } from '../store/feed-shift.ts';
import type { Prepared } from './prepare-database.ts';
import { findSeeded } from './seed.ts';

/** The database needs a migrating start, or must be refused. */
export class NotPrepared extends Error {
  override readonly name = 'NotPrepared';
}

/** The code of a statement that the server has cancelled, such as one that waited for a lock. */
const CANCELLED = '57014';

/**
 * Asks whether an earlier start has prepared the database for the migrations in `known`, and made each of `emails` an active
 * admin. Writes nothing. Throws {@link NotPrepared}, after which the transaction of `em` can only be rolled back.
 */
export async function findPrepared(
  em: EntityManager,
  known: readonly string[],
  emails: readonly string[],
): Promise<Prepared> {
  try {
    // What the steps of `migrate` ask after the migrations. A step without its question here is skipped by most starts.
    const unknown = await findUnknownMigrations(em, known, BEHIND);
    const seeded = unknown && (await findSeeded(em, emails));
    if (unknown && seeded) return { ...seeded, unknown };
  } catch (error) {
    if (isUnavailable(error) && (error as { code?: string }).code !== CANCELLED) throw error;
    // A table is missing, locked, or closed to the role: the steps one by one say which and what to do, or wait.
  }
  throw new NotPrepared();
}
