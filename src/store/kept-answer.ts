/** The most bytes of a body that is kept: more than the answers to changes of one account have. */
export const MAX_KEPT_BYTES = 256 * 1024;

/** A request that its caller may send again, and get the same answer. */
export interface KeyedRequest {
  /** The SHA-256 digest of the caller and the key, in hexadecimal: a key may say anything. */
  readonly digest: string;
  /** The SHA-256 digest of the request itself. */
  readonly fingerprint: string;
  /** The account that asks; `null` for a service token. */
  readonly accountId: number | null;
}

/** An answer, without what is the same for all answers of an endpoint. */
export interface KeptAnswer {
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; `null` where the answer has no body. */
  readonly body: string | null;
}

/** The answer that a unit of work keeps. */
export interface AnswerToKeep extends KeyedRequest {
  /** The answer: after the flush as it will be sent, before it of about the same size. */
  readonly answer: () => KeptAnswer;
  /** The account whose values are in the answer; `null` where there is none. Known after the flush. */
  readonly subjectId: () => number | null;
}
