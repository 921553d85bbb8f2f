import type { EntityManager } from '@mikro-orm/postgresql';
import { User } from '../../domain/user.ts';
import { lapsedSql } from '../../store/lapsed.ts';
import type { Unit } from '../../store/unit.ts';

/** What the seeder did, by email. */
export interface SeedReport {
  readonly created: readonly string[];
  readonly promoted: readonly string[];
  readonly unchanged: readonly string[];
}

/**
 * Makes each of `emails` (normalized, no duplicates) an active admin: creates missing accounts, promotes and restores existing
 * ones, and leaves active admins alone. It demotes and removes nobody. The unit's owner flushes.
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

const ACTIVE_ADMINS = `
  select count(*)::int as total,
         coalesce(jsonb_agg(email) filter (where email in (select jsonb_array_elements_text(?::jsonb))), '[]') as listed
    from users where role = 'admin' and status = 'active' and not ${lapsedSql('users')}`;

/** How many active admins there are, and which of `emails` are among them. */
export async function activeAdmins(
  em: EntityManager,
  emails: readonly string[],
): Promise<{ readonly total: number; readonly listed: readonly string[] }> {
  const [row] = await em.execute<{ total: number; listed: string[] }[]>(ACTIVE_ADMINS, [
    JSON.stringify(emails),
  ]);
  return row ?? { total: 0, listed: [] };
}

// Deletions that are not erased have an index of their own.
const ADMINS_BEFORE = `
  select listed.email from jsonb_array_elements_text(?::jsonb) as listed (email)
   where exists (
           select from users join changes on changes.user_id = users.id
            where users.email = listed.email and 'admin' in (before->>'role', after->>'role'))
      or exists (
           select from changes where action = 'deleted' and erased_at is null
             and before->>'email' = listed.email and before->>'role' = 'admin')
   order by listed.email`;

/**
 * Those of `emails` that were admins before, according to the history: somebody has removed them, and the seeder undoes that.
 * Call it before the seeder's changes are flushed.
 */
export async function formerAdmins({ em }: Unit, emails: readonly string[]): Promise<readonly string[]> {
  if (emails.length === 0) return [];
  const rows = await em.execute<{ email: string }[]>(ADMINS_BEFORE, [JSON.stringify(emails)]);
  return rows.map(({ email }) => email);
}
