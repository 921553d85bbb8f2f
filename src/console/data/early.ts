import { TIMEOUT_MS } from '../../client/send.ts';
import { BASE_PATH } from './place.ts';

/** The header of each request of the console: with it, the session counts, also where the browser has one of the app too. */
export const CONSOLE_HEADER = 'Rollcall-Console';

/** The requests that were sent before the page's script was there, by their addresses. */
type Early = Map<string, Promise<Response>>;

const page = globalThis as { rollcallEarly?: Early | undefined };

/**
 * Sends a request before the page's script is there, which then need not wait for the answer. `then` is called with the answer before
 * the script gets it.
 */
export function askEarly(path: string, then?: (answer: Response) => Promise<void>): void {
  const ask = async () => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(BASE_PATH + path, { headers: { [CONSOLE_HEADER]: '1' }, signal });
    await then?.(answer.clone()).catch(() => undefined);
    return answer;
  };
  const asked = ask();
  // Whoever takes it is told.
  asked.catch(() => undefined);
  page.rollcallEarly ??= new Map();
  page.rollcallEarly.set(BASE_PATH + path, asked);
}

/** Fetches as the browser does, and takes what was asked for early. */
export const fetchEarly: typeof fetch = (input, init) => {
  const asked = page.rollcallEarly?.get(input as string);
  page.rollcallEarly?.delete(input as string);
  return asked ?? fetch(input, init);
};

/** Forgets what nobody has taken: from now on, an answer is as new as its request. */
export function endEarly(): void {
  page.rollcallEarly?.clear();
}
