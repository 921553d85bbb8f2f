/** The server is a read-only standby. It may become the primary, or the address may lead to another one: the error passes. */
export class ReadOnlyStandby extends Error {
  override readonly name = 'ReadOnlyStandby';
  /** SQLSTATE of a write where only reads are allowed. */
  readonly code = '25006';

  constructor() {
    super('The server is a read-only standby: point DATABASE_URL to the primary.');
  }
}
