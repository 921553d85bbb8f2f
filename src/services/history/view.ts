import type { Change, RecordedChange } from '../../domain/change.ts';

/** The same with its times as JSON has them: ISO 8601, in UTC. */
type Told<C extends RecordedChange> = Omit<C, 'at' | 'erasedAt'> & {
  readonly at: string;
  readonly erasedAt: string | null;
};

/** What may leave of an entry of the history, by whatever door. */
export function changeRecord(entry: Change): Told<Change> {
  return { id: entry.id, ...recordedChangeRecord(entry) };
}

/** The same of an entry that has been taken back, and with it its id. */
export function recordedChangeRecord(recorded: RecordedChange): Told<RecordedChange> {
  const { actorId, actor, requestId, userId, action, before, after, version, undoes } = recorded;
  return {
    at: recorded.at.toISOString(),
    actorId,
    actor,
    requestId,
    userId,
    action,
    before,
    after,
    version,
    undoes,
    erasedAt: recorded.erasedAt?.toISOString() ?? null,
  };
}
