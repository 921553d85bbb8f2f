import DataLoader from 'dataloader';
import { currentSpan, shared } from '../tracing/shared.ts';
import { findTracer } from '../tracing/tracing.ts';

/**
 * Gathers what is asked in one turn of the event loop, at most `max`, and has it answered together; a lone question waits for
 * nobody. An error reaches all who asked. Nothing is kept. Where requests are traced, the statements of an answer are linked to the
 * spans of all who asked.
 */
export function sameTurn<Question, Answer>(
  max: number,
  answer: (questions: readonly Question[]) => Promise<Answer[]>,
): (question: Question) => Promise<Answer> {
  const options = { batchScheduleFn: setImmediate, maxBatchSize: max, cache: false };
  if (findTracer() === undefined) {
    const loader = new DataLoader(answer, options);
    return (question) => loader.load(question);
  }
  type Asked = { readonly question: Question; readonly span: ReturnType<typeof currentSpan> };
  const loader = new DataLoader<Asked, Answer>((asked) => {
    const questions = asked.map(({ question }) => question);
    return shared(
      asked.map(({ span }) => span),
      () => answer(questions),
    );
  }, options);
  return (question) => loader.load({ question, span: currentSpan() });
}
