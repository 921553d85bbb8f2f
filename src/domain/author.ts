/** Documentation of what `actor` can be. */
export const ACTORS =
  'an email, `service:<name>` of a service token, `erased-<id>`, or `boot`, `cli`, `sign-in`, `dormancy`, `expiry`';

/** Who signs a unit of work: what the history says about each of its changes. */
export interface Author {
  /** The account that acts; `null` where none does. */
  readonly actorId: number | null;
  /** One of {@link ACTORS}. */
  readonly actor: string;
  /** The HTTP request, or one run of a command. */
  readonly requestId: string | null;
  /** Whether it is a service token, which may not change admins. */
  readonly isService?: true;
}

/** The author of what a start does by itself. */
export const BOOT: Author = { actorId: null, actor: 'boot', requestId: null };

/**
 * The author of what the command line does: the operating system knows its user, the accounts do not. Each run adds a request id of
 * its own.
 */
export const COMMAND_LINE: Author = { actorId: null, actor: 'cli', requestId: null };

/** The author of suspensions for absence. */
export const DORMANCY: Author = { actorId: null, actor: 'dormancy', requestId: null };

/** The author of what ends a role at its time. */
export const EXPIRY: Author = { actorId: null, actor: 'expiry', requestId: null };
