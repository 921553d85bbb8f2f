/** Why the server cannot start: something that the operator can mend, reported in one line without a stack. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart';
}
