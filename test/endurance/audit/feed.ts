import type { Finding } from './finding.ts';

/** What tells an entry of the feed from all others: after a failover, its id alone may be that of another one that was lost. */
export function nameOf({ id, requestId }: { id: number; requestId: string | null }): string {
  return `${id} (${requestId ?? 'no request'})`;
}

/** Compares what a follower of the feed has got with the feed: each change once, in order. Names the first difference. */
export function auditFeed(name: string, got: readonly string[], feed: readonly string[]): Finding[] {
  const at = feed.findIndex((entry, n) => got[n] !== entry);
  const first = at === -1 && got.length > feed.length ? feed.length : at;
  if (first === -1) return [];
  const counts = `${got.length} of ${feed.length} entries`;
  const detail = `${name}: ${counts}; at place ${first + 1} entry ${got[first] ?? 'none'} in place of ${feed[first] ?? 'none'}`;
  return [{ kind: 'feed', detail }];
}
