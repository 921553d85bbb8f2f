import type { Answer } from './sender.ts';

/** Why a delivery failed, and what to do next. */
export interface Verdict {
  readonly reason: string;
  /** Milliseconds until the next attempt. */
  readonly delayMs: number;
  /** Whether there is no next attempt: the receiver is gone. */
  readonly isFinal: boolean;
}

const FIRST_DELAY_MS = 5_000;
const MAX_DELAY_MS = 60 * 60 * 1000;

/**
 * The verdict on the answer to an attempt (numbered from 1), by the Standard Webhooks specification; `undefined` for success.
 * A receiver may ask for more time (`Retry-After`), up to an hour, but not for less.
 */
export function verdictOn(answer: Answer, attempt: number, now: Date): Verdict | undefined {
  const backoff = Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS);
  // Jitter: deliveries that failed together must not come back together.
  const delayMs = backoff * (0.75 + Math.random() / 2);
  if ('reason' in answer) return { reason: answer.reason, delayMs, isFinal: false };
  const { status, retryAfter = '' } = answer;
  if (status >= 200 && status <= 299) return undefined;
  const asked = Math.min(waitOf(retryAfter, now), MAX_DELAY_MS);
  return { reason: `the answer was ${status}`, delayMs: Math.max(delayMs, asked), isFinal: status === 410 };
}

/** The wait of a `Retry-After`, in milliseconds (RFC 9110, section 10.2.3); 0 where it is neither seconds nor a date. */
function waitOf(retryAfter: string, now: Date): number {
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * 1000;
  return Math.max(0, Date.parse(retryAfter) - now.getTime()) || 0;
}
