import { User } from '../../domain/user.ts';
import type { AnswerToKeep, KeptAnswer, KeyedRequest } from '../../store/kept-answer.ts';
import type { RequestContext } from '../context.ts';
import type { Shown } from '../endpoint.ts';
import type { HandledRequest } from '../request/handled-request.ts';

/** A header of an answer that was kept: the request was carried out before. */
export const REPLAYED = 'Idempotent-Replayed';

/** The answer that a unit of work keeps for a caller that asks again, once the handler of the request has returned. */
export function answerToKeep(
  keyed: KeyedRequest,
  { state }: RequestContext,
  request: Pick<HandledRequest, 'entity' | 'unit'>,
): AnswerToKeep {
  return {
    ...keyed,
    answer() {
      const { body, headers = {} } = state.shown?.(true) ?? {};
      return { headers, body: body === undefined ? null : JSON.stringify(body) };
    },
    // A change that changes nothing shows its account too.
    subjectId: () => (request.entity instanceof User ? request.entity.id : request.unit.changedAccount),
  };
}

/** Shows an answer that was kept. */
export function shownAgain({ headers, body }: KeptAnswer): Shown {
  return () => ({ body, headers: { ...headers, [REPLAYED]: 'true' } });
}
