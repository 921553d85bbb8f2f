import type { Change } from '../../domain/change.ts';

/** What may leave of an entry of the history, over HTTP or in a webhook: an allow-list, in JSON's types. */
export function changeView(entry: Change) {
  return { id: entry.id, ...unnumberedChangeView(entry) };
}

/** The same without the id, which an entry loses when a dry run rolls it back. */
export function unnumberedChangeView(entry: Change) {
  const { actorId, actor, requestId, userId, action, before, after, version, undoes, reason } = entry;
  return {
    /** ISO 8601, in UTC; so is `erasedAt`. */
    at: entry.at.toISOString(),
    actorId,
    actor,
    requestId,
    userId,
    action,
    before,
    after,
    version,
    undoes,
    reason,
    erasedAt: entry.erasedAt?.toISOString() ?? null,
  };
}

/** An entry for who may write and not read: the written values, and none that were there before. An undo writes such values. */
export function writtenChangeView(entry: Change) {
  return { ...changeView(entry), ...written(entry) };
}

/** The same without the id. */
export function unnumberedWrittenView(entry: Change) {
  return { ...unnumberedChangeView(entry), ...written(entry) };
}

function written({ after, undoes }: Change) {
  return { before: null, after: undoes === null ? after : null };
}
