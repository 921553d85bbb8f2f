import type { EntityManager } from '@mikro-orm/postgresql';
import { runAlone } from './statements.ts';

/** Who did something outside of the history: what an entry has as the actor, and the account's id, if it was one. */
export interface ActorRef {
  readonly actor: string;
  readonly actorId: number | null | undefined;
}

/** How an actor is called now: an account by its email; a deleted one as it was called then, and an erased one `erased-<id>`. */
export type ActorNames = (ref: ActorRef) => string;

/** Reads the names of these actors, in one query at most. */
export async function actorNames(em: EntityManager, refs: readonly ActorRef[]): Promise<ActorNames> {
  const ids = [...new Set(refs.flatMap(({ actorId }) => actorId ?? []))];
  const rows =
    ids.length === 0
      ? []
      : await runAlone<{ id: number; email: string }>(em, {
          text: 'select id, email from users where id = any($1)',
          values: [ids],
        });
  const emails = new Map(rows.map(({ id, email }) => [id, email]));
  return ({ actor, actorId }) => emails.get(actorId ?? 0) ?? actor;
}
