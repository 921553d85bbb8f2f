import { lostAdmins } from '../../store/admins-touched.ts';
import type { Unit } from '../../store/unit.ts';

/** The emails of INITIAL_ADMINS, normalized. */
export type Seeds = readonly string[];

/** The seeds that are no longer active admins because of a committed unit of work: the next start undoes that. */
export function lostSeeds(unit: Unit, seeds: Seeds): Promise<string[]> {
  return lostAdmins(unit.em, unit.adminsTouched, seeds);
}
