import { COMMAND_LINE } from '../domain/author.ts';
import type { ChangeDraft } from '../domain/change.ts';
import { refusals } from '../domain/refusals.ts';
import type { Unit } from './unit.ts';

/**
 * Refuses what somebody does to accounts other than their own without a reason, where the unit requires one: admins, service tokens
 * and the command line. A dry run needs none, because it records nothing. Throws `reason_required`.
 */
export function requireReason(
  { author, reason, requiresReason, dryRun }: Unit,
  drafts: readonly Partial<Pick<ChangeDraft, 'userId'>>[],
): void {
  if (!requiresReason || reason !== null || dryRun) return;
  const isPerson = author.actorId !== null || author.isService || author.actor === COMMAND_LINE.actor;
  if (isPerson && drafts.some(({ userId }) => userId === undefined || userId !== author.actorId))
    throw refusals.reasonRequired();
}
