import type { Finding } from './finding.ts';

/** Compares what a follower of the feed has got with the feed: each change once, in order. Names the first difference. */
export function auditFeed(name: string, got: readonly number[], feed: readonly number[]): Finding[] {
  const at = feed.findIndex((id, n) => got[n] !== id);
  const first = at === -1 && got.length > feed.length ? feed.length : at;
  if (first === -1) return [];
  const counts = `${got.length} of ${feed.length} entries`;
  const detail = `${name}: ${counts}; at place ${first + 1} entry ${got[first] ?? 'none'} in place of ${feed[first] ?? 'none'}`;
  return [{ kind: 'feed', detail }];
}
