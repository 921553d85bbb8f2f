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

/** Notes what a refusal says of the session. */
export function noteRefusal(error: unknown): void {
  if (!(error instanceof Problem)) return;
  if (error.code === 'unauthenticated') hasSessionEnded.value = true;
  if (error.code === 'forbidden') isRoleDoubted.value = true;
}

/**
 * Calls the service with the session of this browser; where it wants to know why something is done, the reader is asked. Throws what the
 * client throws.
 */
export const call: Call = async (name, request) => {
  try {
    const answer = await send(name, request);
    isOnline.value = true;
    return answer;
  } catch (error) {
    if (error instanceof Unreachable) isOnline.value = false;
    else if (error instanceof Problem) {
      isOnline.value = true;
      if (!isDoor(name)) noteRefusal(error);
      if (error.code === 'reason_required') {
        const reason = await askReason();
        if (reason !== undefined) return call(name, { ...request, reason } as typeof request);
      }
    }
    throw error;
  }
};

/** Whether a refusal is about a way in, and not about the session. */
function isDoor(name: RouteName): boolean {
  return name.startsWith('POST /v1/session');
}
