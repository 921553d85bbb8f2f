import { signal } from '@preact/signals';
import { type Call, createClient, Problem, type RouteName, Unreachable } from '../../client/index.ts';
import { attention } from './attention.ts';
import { CONSOLE_HEADER, fetchEarly } from './early.ts';
import { BASE_PATH } from './place.ts';
import { askReason } from './reason.ts';

// A failure is shown at once, with a way to try again.
const { call: send, changes } = createClient({
  baseUrl: BASE_PATH,
  retries: 0,
  fetch(input, init) {
    const headers = new Headers(init?.headers);
    headers.set(CONSOLE_HEADER, attention());
    return fetchEarly(input, { ...init, headers });
  },
});

/** Follows the changes, with the session of this browser. */
export { changes };

/** Whether the last request reached the service. */
export const isOnline = signal(true);

// A browser knows at once that it has no network; that it has one again does not say that the service can be reached.
addEventListener('offline', () => {
  isOnline.value = false;
});
addEventListener('online', () => {
  isOnline.value = true;
});

/** Whether the session ended while the page was open: what is on the screen stays, and waits for a new one. */
export const hasSessionEnded = signal(false);

/** Whether something was refused for the role of who is signed in, since the service was last asked for it. */
export const isRoleDoubted = signal(false);

/** How often a session that had ended was followed by another. */
export let signIns = 0;

/** The last of these sign-ins that was another account's. */
let lastOther = 0;

/**
 * Notes what a refusal says of the session. `before` is {@link signIns} when the request was sent: a sign-in since then is newer than the
 * refusal.
 */
export function noteRefusal(error: unknown, before: number): void {
  if (!(error instanceof Problem)) return;
  if (error.code === 'unauthenticated' && before === signIns) hasSessionEnded.value = true;
  if (error.code === 'forbidden') isRoleDoubted.value = true;
}

/** What waits for the next sign-in, told whether it is the same account again; and whether it writes. */
const waiting = new Map<(isSame: boolean) => void, boolean>();

/** Whether something that writes waits for the next sign-in. */
export const isWriteWaiting = signal(false);

function noteWaiting(): void {
  isWriteWaiting.value = [...waiting.values()].includes(true);
}

/** Says that somebody has signed in where a session had ended: what was begun goes on, for the same account. */
export function endWaiting(isSame: boolean): void {
  if (hasSessionEnded.peek()) signIns++;
  if (!isSame) lastOther = signIns;
  hasSessionEnded.value = false;
  for (const go of waiting.keys()) go(isSame);
}

/** Lets no write go on after the next sign-in: each fails with its refusal. */
export function discardWrites(): void {
  for (const [go, isWrite] of waiting) if (isWrite) go(false);
}

/**
 * Notes what a refusal says of the session, as {@link noteRefusal} does. Where that has ended, waits for the next sign-in since `before`,
 * and returns whether the same account is signed in again, so that the same request may succeed. Throws the signal's reason once it aborts.
 */
async function isSignedInAgain(
  refusal: Problem,
  { before, isWrite, signal }: { before: number; isWrite: boolean; signal?: AbortSignal | undefined },
): Promise<boolean> {
  noteRefusal(refusal, before);
  if (refusal.code !== 'unauthenticated') return false;
  if (before < signIns) return lastOther <= before;
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const end = () => {
      waiting.delete(go);
      noteWaiting();
      signal?.removeEventListener('abort', giveUp);
    };
    const go = (isSame: boolean) => {
      end();
      resolve(isSame);
    };
    const giveUp = () => {
      end();
      reject(signal?.reason);
    };
    waiting.set(go, isWrite);
    noteWaiting();
    signal?.addEventListener('abort', giveUp);
  });
}

/** Whether a write that has failed with this may have been carried out all the same: only its answer is missing. */
export function mayBeDone(error: unknown): boolean {
  if (error instanceof Problem) return error.status >= 500 || error.code === 'request_in_progress';
  return error instanceof Unreachable;
}

/** Notes whether the service was reached, by what a request to it has thrown, if anything. */
function noteReached(error?: unknown): void {
  if (error === undefined || error instanceof Problem) isOnline.value = true;
  else if (error instanceof Unreachable) isOnline.value = false;
}

/** How a request is sent. */
interface Sending {
  /** Whether it changes something, so that the reader may discard it. */
  readonly isWrite: boolean;
  /** Whether it signs somebody in: its refusals say nothing of a session. */
  readonly isDoor?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a request with the session of this browser; where that has ended, it goes on after the next sign-in, and where the service wants
 * to know why something is done, the reader is asked, and `send` gets the reason. Throws what that throws, and the signal's reason.
 */
export async function sendAttended<T>(
  send: (reason?: string) => Promise<T>,
  sending: Sending,
  reason?: string,
): Promise<T> {
  const before = signIns;
  try {
    const answer = await send(reason);
    noteReached();
    return answer;
  } catch (error) {
    noteReached(error);
    if (!(error instanceof Problem) || sending.isDoor) throw error;
    if (await isSignedInAgain(error, { ...sending, before })) return sendAttended(send, sending, reason);
    if (error.code !== 'reason_required') throw error;
    const given = await askReason();
    sending.signal?.throwIfAborted();
    if (given === undefined) throw error;
    return sendAttended(send, sending, given);
  }
}

/** Calls the service as {@link sendAttended} does. Throws what the client throws. */
export const call: Call = (name, request) =>
  sendAttended(
    (reason) => send(name, reason === undefined ? request : ({ ...request, reason } as typeof request)),
    { isWrite: !name.startsWith('GET '), isDoor: isDoor(name), signal: request?.signal },
  );

/** Whether a refusal is about a way in, and not about the session. */
function isDoor(name: RouteName): boolean {
  return name.startsWith('POST /v1/session');
}
