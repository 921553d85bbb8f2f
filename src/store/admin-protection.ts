import type { ChangeDraft } from '../domain/change.ts';
import { refusals } from '../domain/refusals.ts';
import type { Unit } from './unit.ts';

/**
 * Stops a service token from changing admins or creating them: with an admin of its own making, or with the email of one, it
 * could do everything. Throws `forbidden`.
 */
export function protectAdmins({ author }: Unit, drafts: readonly Pick<ChangeDraft, 'ofAdmin'>[]): void {
  if (author.isService && drafts.some(({ ofAdmin }) => ofAdmin)) throw refusals.adminsProtected();
}
