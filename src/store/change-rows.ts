import type { EntityManager } from '@mikro-orm/postgresql';
import type { Change } from '../domain/change.ts';
import { dateOf } from './rows.ts';

/** The columns of `changes` that make a {@link ChangeRow}. */
export const CHANGE_COLUMNS = `id, at, actor_id as "actorId", actor, request_id as "requestId", user_id as "userId",
  action, before, after, version, undoes, reason, erased_at as "erasedAt"`;

/** Those that may be long. */
export const CHANGE_VALUES = ['before', 'after'] as const;

/** A row of the history as the driver reads it: `bigint`s and times are text. */
export type ChangeRow = Omit<Change, 'id' | 'undoes' | 'at' | 'erasedAt'> & {
  id: string;
  undoes: string | null;
  at: string;
  erasedAt: string | null;
};

/** Turns a row into an entry of the history. */
export function changeOf(em: EntityManager, row: ChangeRow): Change {
  return {
    ...row,
    id: Number(row.id),
    at: dateOf(em, row.at),
    undoes: row.undoes === null ? null : Number(row.undoes),
    erasedAt: row.erasedAt === null ? null : dateOf(em, row.erasedAt),
  };
}
