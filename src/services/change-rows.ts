import type { EntityManager } from '@mikro-orm/postgresql';
import type { Change } from '../domain/change.ts';

/** The columns of `changes` that make a {@link ChangeRow}. */
export const CHANGE_COLUMNS = `id, at, actor_id as "actorId", actor, request_id as "requestId", user_id as "userId",
  action, before, after, version, undoes, erased_at as "erasedAt"`;

/** A row of the history as the driver reads it: it makes texts of `bigint`s and of times. */
export type ChangeRow = Omit<Change, 'id' | 'at' | 'undoes' | 'erasedAt'> & {
  id: string;
  at: string;
  undoes: string | null;
  erasedAt: string | null;
};

/** The entry of the history that a row is. */
export function changeOf(em: EntityManager, { id, at, undoes, erasedAt, ...row }: ChangeRow): Change {
  const dateOf = (text: string) => em.getPlatform().parseDate(text);
  return {
    id: Number(id),
    ...row,
    at: dateOf(at),
    undoes: undoes === null ? null : Number(undoes),
    erasedAt: erasedAt === null ? null : dateOf(erasedAt),
  };
}
