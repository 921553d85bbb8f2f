/**
 * What an audit finds: an acknowledged write that is not in the history (`lost`) or more than once (`doubled`), something written
 * that was refused, read or never asked for (`phantom`), another value or version than was acknowledged (`wrong`), a version that
 * real time contradicts (`order`), a history that does not give the table (`replay`), a feed that has not each change once and in
 * order (`feed`), connections that are left (`connections`), and what a replica should not have done (`problem`).
 */
export type Kind =
  | 'lost'
  | 'doubled'
  | 'phantom'
  | 'wrong'
  | 'order'
  | 'replay'
  | 'feed'
  | 'connections'
  | 'problem';

/** Something that must not be. */
export interface Finding {
  readonly kind: Kind;
  /** The number of the phase in which its request was sent, if it is about one. */
  readonly phase?: number;
  /** The numbers of the replicas that it was sent to, or that the contradicting requests were sent to, if it is about some. */
  readonly replicas?: readonly number[];
  /** The id of the request, if it is about one. */
  readonly requestId?: string;
  readonly detail: string;
}
