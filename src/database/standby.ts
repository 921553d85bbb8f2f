import type { ServerRole } from './connection.ts';

/** The server is a read-only standby. It may become the primary, or the address may lead to another one: the error passes. */
export class ReadOnlyStandby extends Error {
  override readonly name = 'ReadOnlyStandby';
  /** SQLSTATE of a write where only reads are allowed. */
  readonly code = '25006';

  constructor() {
    super('The server is a read-only standby: point DATABASE_URL to the primary.');
  }
}

/** A read replica is no standby, or no longer: it may have changes that the primary lacks. */
class NotAStandby extends Error {
  override readonly name = 'NotAStandby';
  /** SQLSTATE of a server that does not let a session in. */
  readonly code = '08004';

  constructor() {
    super('The server is a primary: DATABASE_REPLICA_URLS names streaming standbys of DATABASE_URL alone.');
  }
}

/** What is wrong with a server that has another role than it must have; `undefined` if nothing is, or nobody knows. */
export function wrongRole(isStandby: boolean | undefined, role: ServerRole): Error | undefined {
  if (isStandby === true && role === 'primary') return new ReadOnlyStandby();
  return isStandby === false && role === 'standby' ? new NotAStandby() : undefined;
}
