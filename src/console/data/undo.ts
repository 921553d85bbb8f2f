import type { Answered } from '../../client/client.ts';
import { call } from './api.ts';
import { type DryRun, dryRun } from './dry-run.ts';

/** An entry of the history. */
export type Change = Answered<'GET /v1/history'>['items'][number];

/** Undoes a change. Returns the change that undoes it. Throws what the service refuses. */
export function undo(id: number): Promise<Change> {
  return call('POST /v1/history/:id/undo', { params: { id: `${id}` }, idempotencyKey: crypto.randomUUID() });
}

/** What an undo would change. Throws what it would throw. */
export async function previewUndo(id: number, signal: AbortSignal): Promise<DryRun['changes']> {
  return (await dryRun('POST /v1/history/:id/undo', { params: { id: `${id}` }, signal })).changes;
}
