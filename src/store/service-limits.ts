import type { EntityManager } from '@mikro-orm/postgresql';
import { authorOf } from '../domain/author.ts';
import type { ChangeDraft } from '../domain/change.ts';
import { DomainError } from '../domain/errors.ts';

/**
 * Holds a service token to the accounts that are no admins and become none: with admins of its own making, or with the
 * email of one, it could do everything. Throws `forbidden`.
 */
export function refuseServices(em: EntityManager, drafts: readonly Pick<ChangeDraft, 'ofAdmin'>[]): void {
  if (authorOf(em).isService && drafts.some(({ ofAdmin }) => ofAdmin)) {
    throw new DomainError('forbidden', 'A service token may not change admins.');
  }
}
