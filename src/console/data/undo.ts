import type { Answered } from '../../client/client.ts';
import { call } from './api.ts';

/** An entry of the history. */
export type Change = Answered<'GET /v1/history'>['items'][number];

/** What a dry run would have recorded. */
export type DraftChange = Omit<Change, 'id'>;

/** Undoes a change. Returns the change that undoes it. Throws what the service refuses. */
export function undo(id: number): Promise<Change> {
  return call('POST /v1/history/:id/undo', { params: { id: `${id}` }, idempotencyKey: crypto.randomUUID() });
}

/** What an undo would change. Throws what it would throw. */
export async function previewUndo(id: number, signal?: AbortSignal): Promise<readonly DraftChange[]> {
  const answer: unknown = await call('POST /v1/history/:id/undo', {
    params: { id: `${id}` },
    // The query of every write, whatever else it has.
    query: { dryRun: 'true' } as Record<never, never>,
    ...(signal && { signal }),
  });
  return (answer as { changes: readonly DraftChange[] }).changes;
}
