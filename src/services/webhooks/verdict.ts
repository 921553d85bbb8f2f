import type { Answer } from './sender.ts';

/** Why a delivery has not succeeded, and what is to be done about it. */
export interface Verdict {
  readonly reason: string;
  /** Until the next try. */
  readonly delayMs: number;
  /** Whether there shall be none: the receiver has gone. */
  readonly isFinal: boolean;
}

const FIRST_DELAY_MS = 5_000;
const MAX_DELAY_MS = 60 * 60 * 1000;

/**
 * What an answer to the attempt with this number, from 1, means by the Standard Webhooks specification; `undefined` where
 * it is success. A receiver may ask for more time (`Retry-After`), up to an hour, but not for less.
 */
export function verdictOn(answer: Answer, attempt: number, now: Date): Verdict | undefined {
  const backoff = Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS);
  // Apart from each other by chance: many that have failed together would else come back together.
  const delayMs = backoff * (0.75 + Math.random() / 2);
  if ('reason' in answer) return { reason: answer.reason, delayMs, isFinal: false };
  const { status, retryAfter = '' } = answer;
  if (status >= 200 && status <= 299) return undefined;
  const asked = Math.min(waitOf(retryAfter, now), MAX_DELAY_MS);
  return { reason: `the answer was ${status}`, delayMs: Math.max(delayMs, asked), isFinal: status === 410 };
}

/** What `Retry-After` asks for, in milliseconds (RFC 9110, section 10.2.3); 0 where it is neither seconds nor a date. */
function waitOf(retryAfter: string, now: Date): number {
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * 1000;
  return Math.max(0, Date.parse(retryAfter) - now.getTime()) || 0;
}
