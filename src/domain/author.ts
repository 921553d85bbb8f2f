import type { EntityManager } from '@mikro-orm/postgresql';
import type { Change } from './change.ts';

/** What an actor is called, in words. */
export const ACTORS =
  'an email, `service:<name>` of a service token, `erased-<id>`, or `boot`, `cli`, `sign-in`';

/** Who does a unit of work, and on what occasion: what the history says of each of its changes. */
export interface Author {
  /** The account that acts; `null` for what is no account. */
  readonly actorId: number | null;
  /** One of {@link ACTORS}. */
  readonly actor: string;
  /** Whether it is a service token, which may not change admins. */
  readonly isService?: true;
  /** The HTTP request, if there is one. */
  readonly requestId: string | null;
  /** The id of the change that this unit of work takes back. */
  readonly undoes?: number;
  /** Whether the accounts that it deletes are erased with it, so that nothing can restore them. */
  readonly erases?: boolean;
  /** Told of what is recorded, before it is committed. */
  readonly onRecorded?: (changes: readonly Change[]) => void;
}

/** What a start does by itself. */
export const BOOT: Author = { actorId: null, actor: 'boot', requestId: null };

/** Whoever sits at the command line: the operating system knows them, and the accounts do not. */
export const COMMAND_LINE: Author = { actorId: null, actor: 'cli', requestId: null };

// Beside the EntityManager and not in it: the ORM has no place for it, and a unit of work is its EntityManager.
const authors = new WeakMap<EntityManager, Author>();

/** Says who does the unit of work of `em`. To be done before anything is changed in it; the last one counts. */
export function sign(em: EntityManager, author: Author): void {
  authors.set(em, author);
}

/** Who does the unit of work of `em`. Throws where nobody has signed it: what nobody answers for is not written. */
export function authorOf(em: EntityManager): Author {
  const author = authors.get(em);
  if (author === undefined) throw new Error('Nobody has signed this unit of work.');
  return author;
}
