import { User } from '../../domain/user.ts';
import type { Unit } from '../../store/unit.ts';

/** What the seeder did, by email. */
export interface SeedReport {
  readonly created: readonly string[];
  readonly promoted: readonly string[];
  readonly unchanged: readonly string[];
}

/**
 * Makes each of `emails` (normalized, no duplicates) an admin: creates missing accounts, promotes existing ones, and leaves
 * admins alone. It demotes and removes nobody. The unit's owner flushes.
 */
export async function seedAdmins({ em }: Unit, emails: readonly string[]): Promise<SeedReport> {
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
