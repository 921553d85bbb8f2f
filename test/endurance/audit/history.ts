import type { Action } from '../ledger.ts';
import type { Stage } from '../stage.ts';
import { nameOf } from './feed.ts';

/** An entry of the history, as far as the audit looks at it. */
export interface Written {
  readonly id: number;
  readonly requestId: string | null;
  readonly userId: number;
  readonly action: Action;
  readonly version: number;
  /** The values that it has written, as JSON. */
  readonly after: string;
}

const BATCH = 10_000;

const ENTRIES = `
  select id::float8 as id, request_id as "requestId", user_id as "userId", action, version, coalesce(after::text, '') as after
    from changes where id > $1 order by id limit ${BATCH}`;

/** The whole history, in the order of its ids. */
export async function readHistory({ query }: Pick<Stage, 'query'>): Promise<Written[]> {
  const found: Written[] = [];
  for (;;) {
    const batch = await query<Written & { [column: string]: unknown }>(ENTRIES, [found.at(-1)?.id ?? 0]);
    found.push(...batch);
    if (batch.length < BATCH) return found;
  }
}

/** All entries in the order of the feed, each by {@link nameOf}. */
export async function readFeedOrder({ query }: Pick<Stage, 'query'>): Promise<string[]> {
  const rows = await query<{ id: number; requestId: string | null }>(
    'select id::float8 as id, request_id as "requestId" from changes order by transaction_id, changes.id',
  );
  return rows.map(nameOf);
}
