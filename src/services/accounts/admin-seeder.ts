import type { EntityManager } from '@mikro-orm/postgresql';
import { BOOT, sign } from '../../domain/author.ts';
import { User } from '../../domain/user.ts';

/** What the seeder did, by email. */
export interface SeedReport {
  readonly created: readonly string[];
  readonly promoted: readonly string[];
  readonly unchanged: readonly string[];
}

/**
 * Sees to it that each of `emails` (normalised, no doubles) is an account with the role `admin`: makes those that are
 * missing, promotes those that are there, and leaves alone those that are admins already. Demotes and removes nobody.
 * The changes are in `em`, for its owner to flush.
 */
export async function seedAdmins(em: EntityManager, emails: readonly string[]): Promise<SeedReport> {
  sign(em, BOOT);
  const accounts = await em.find(User, { email: { $in: [...emails] } });
  const known = new Map(accounts.map((user) => [user.email, user]));
  const report = { created: [] as string[], promoted: [] as string[], unchanged: [] as string[] };
  for (const email of emails) {
    const user = known.get(email) ?? new User(email);
    const changed = user.promote();
    if (known.has(email)) {
      report[changed ? 'promoted' : 'unchanged'].push(email);
    } else {
      em.persist(user);
      report.created.push(email);
    }
  }
  return report;
}
