import { lostAdmins } from '../../store/admins-touched.ts';
import type { Unit } from '../../store/unit.ts';

/** The emails of INITIAL_ADMINS, normalized. */
export type Seeds = readonly string[];

/** Those whose account a committed unit of work has made anything but an active admin: the next start undoes that. */
export function lostSeeds(unit: Unit, seeds: Seeds): Promise<string[]> {
  return lostAdmins(unit.em, unit.adminsTouched, seeds);
}
