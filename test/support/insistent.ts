import { until } from './until.ts';

/**
 * Sends a request, and again as long as others are in its way, as its refusal says: a queue of writes to one account whose first takes
 * long, as on a busy machine, refuses the newest.
 */
export function insist(send: () => Promise<Response>): Promise<Response> {
  return until('an answer', async () => {
    const answer = await send();
    return answer.status === 503 ? undefined : answer;
  });
}
