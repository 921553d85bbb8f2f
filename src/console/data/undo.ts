import type { Answered } from '../../client/index.ts';
import { call } from './api.ts';
import { type DryRun, dryRun } from './dry-run.ts';

/** An entry of the history. */
export type Change = Answered<'GET /v1/history'>['items'][number];

/** Undoes a change. Sent twice with one key, it is undone once. Returns the change that undoes it. Throws what the service refuses. */
export function undo(id: number, idempotencyKey: string, reason?: string): Promise<Change> {
  return call('POST /v1/history/:id/undo', {
    params: { id: `${id}` },
    idempotencyKey,
    ...(reason !== undefined && { reason }),
  });
}

/** What an undo would change. Throws what it would throw. */
export async function previewUndo(id: number, signal: AbortSignal): Promise<DryRun['changes']> {
  return (await dryRun('POST /v1/history/:id/undo', { params: { id: `${id}` }, signal })).changes;
}

/** How long the undo of a request may take, in milliseconds: an import may have had a hundred thousand lines. */
const TIMEOUT_MS = 10 * 60_000;

const UNDO_REQUEST = 'POST /v1/history/:id/undo-request';

/** What was undone of a request. */
export type UndoReport = Answered<typeof UNDO_REQUEST>;

/** What the undo of a request would do. */
export interface RequestUndo {
  /** One of its changes, which stands for all of them. */
  readonly changeId: number;
  readonly report: DryRun & Omit<UndoReport, 'changes'> & { readonly wouldUndo: number };
}

/** What the undo of everything that a request has changed would do; `undefined` where it has changed nothing. Throws what the service refuses. */
export async function previewUndoRequest(
  requestId: string,
  signal: AbortSignal,
): Promise<RequestUndo | undefined> {
  const { items } = await call('GET /v1/history', { query: { requestId, limit: '1' }, signal });
  const [change] = items;
  if (change === undefined) return undefined;
  const report = await dryRun(UNDO_REQUEST, {
    params: { id: `${change.id}` },
    // The report comes in any case, and not as a refusal.
    query: { partial: 'true' },
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  return { changeId: change.id, report: report as RequestUndo['report'] };
}

/** Undoes everything that the request of a change has changed, or with `partial` what can be. Throws what the service refuses. */
export function undoRequest(
  changeId: number,
  { isPartial, idempotencyKey }: { readonly isPartial: boolean; readonly idempotencyKey: string },
): Promise<UndoReport> {
  return call(UNDO_REQUEST, {
    params: { id: `${changeId}` },
    query: isPartial ? { partial: 'true' } : {},
    idempotencyKey,
    timeoutMs: TIMEOUT_MS,
  });
}
