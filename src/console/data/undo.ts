import type { Answered, QueryOf } from '../../client/index.ts';
import { call } from './api.ts';
import { type DryRun, dryRun } from './dry-run.ts';

/** An entry of the history. */
export type Change = Answered<'GET /v1/history'>['items'][number];

/** Undoes a change. Returns the change that undoes it. Throws what the service refuses. */
export function undo(id: number, reason?: string): Promise<Change> {
  return call('POST /v1/history/:id/undo', {
    params: { id: `${id}` },
    idempotencyKey: crypto.randomUUID(),
    ...(reason !== undefined && { reason }),
  });
}

/** What an undo would change. Throws what it would throw. */
export async function previewUndo(id: number, signal: AbortSignal): Promise<DryRun['changes']> {
  return (await dryRun('POST /v1/history/:id/undo', { params: { id: `${id}` }, signal })).changes;
}

/**
 * Takes back everything that a request has changed, or says what that would do. Returns `undefined` where it has changed nothing.
 * Throws what the service refuses.
 */
export async function undoRequest(
  requestId: string | null,
  query: QueryOf<'POST /v1/history/:id/undo-request'> = {},
  signal?: AbortSignal,
): Promise<Answered<'POST /v1/history/:id/undo-request'> | undefined> {
  const { items } = await call('GET /v1/history', {
    query: { requestId: requestId ?? undefined, limit: '1' },
  });
  const [change] = items;
  if (!change) return undefined;
  return call('POST /v1/history/:id/undo-request', {
    params: { id: `${change.id}` },
    query,
    ...(signal && { signal }),
  });
}
