import type { EntityManager } from '@mikro-orm/postgresql';
import { BOOT } from '../domain/author.ts';
import {
  activeAdmins,
  formerAdmins,
  type SeedReport,
  seedAdmins,
} from '../services/accounts/admin-seeder.ts';
import { Unit } from '../store/unit.ts';

/** What a start has done to the admins. */
export interface Seeded {
  readonly report: SeedReport;
  /** Those that were admins before, and were removed. */
  readonly restored: readonly string[];
  /** How many active admins there are now. */
  readonly admins: number;
}

/** Returns `undefined` unless each of `emails` is an active admin. Writes nothing. */
export async function findSeeded(em: EntityManager, emails: readonly string[]): Promise<Seeded | undefined> {
  const { listed, total } = await activeAdmins(em, emails);
  if (listed.length < emails.length) return undefined;
  return { report: { created: [], promoted: [], unchanged: emails }, restored: [], admins: total };
}

/** Makes each of `emails` an active admin, in the transaction of `em`, under the boot lock. */
export async function seed(em: EntityManager, emails: readonly string[]): Promise<Seeded> {
  const seeded = await findSeeded(em, emails);
  if (seeded !== undefined) return seeded;
  const unit = new Unit(em, { author: BOOT });
  const report = await seedAdmins(unit, emails);
  const restored = await formerAdmins(unit, [...report.created, ...report.promoted]);
  await em.flush();
  return { report, restored, admins: (await activeAdmins(em, emails)).total };
}
