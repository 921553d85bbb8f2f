import { refusals } from '../domain/refusals.ts';
import type { UndoReport } from '../domain/undo-report.ts';
import { requestsWithId, undoRequest } from '../services/history/undo-request.ts';
import type { CommandContext } from './command.ts';
import { UsageError } from './usage-error.ts';

/** Undoes everything that was changed under a request id. Throws `not_found`, and what `undoRequest` throws. */
export function undo(requestId: string, { inUnit, rules, values }: CommandContext): Promise<UndoReport> {
  const { actor, partial } = values;
  return inUnit(async (unit) => {
    unit.dryRun = values['dry-run'];
    const requests = (await requestsWithId(unit, requestId)).filter(
      (request) => actor === undefined || request.actor === actor,
    );
    const [request, ...others] = requests;
    if (request === undefined) throw refusals.notFound(`change with the request id ${requestId}`);
    if (others.length > 0) {
      const actors = requests.map((each) => each.actor).join(', ');
      throw new UsageError(`Several authors used this request id: name one of ${actors} with --actor.`);
    }
    return undoRequest(unit, request, { partial, rules, showsFields: true });
  });
}
