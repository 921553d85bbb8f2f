import type { ReadingCaller, Sight } from '../../store/replicas/replicas.ts';
import type { RequestContext } from '../context.ts';
import { callerOf } from './caller.ts';

/**
 * The header with a bookmark: in the answer of a write, and in reads that must see that write. Neo4j and Cloudflare D1 call it so
 * too; there is no standard name.
 */
export const BOOKMARK = 'Rollcall-Bookmark';

/** The epoch of the database, and where its log was, in bytes. */
const FORM = /^([0-9a-f]{1,12})-(0|[1-9]\d{0,18})$/;

/** Writes a bookmark. It is not sealed: it reveals no more than a cursor of the feed, and allows nothing. */
export function bookmarkOf({ epoch, lsn }: Sight): string {
  return `${epoch}-${lsn}`;
}

/** Who asks, with the bookmark that came along. */
export function readingCaller({ state, headers }: RequestContext): ReadingCaller {
  const given = headers[BOOKMARK.toLowerCase()];
  return { name: callerOf(state), bookmark: given === undefined ? undefined : read(`${given}`) };
}

function read(text: string): Sight | 'unreadable' {
  const [, epoch, lsn] = FORM.exec(text) ?? [];
  return epoch === undefined || lsn === undefined ? 'unreadable' : { epoch, lsn };
}
