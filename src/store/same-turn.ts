import DataLoader from 'dataloader';

/**
 * Gathers what is asked in one turn of the event loop, at most `max`, and has it answered together; a lone question waits for
 * nobody. An error reaches all who asked. Nothing is kept.
 */
export function sameTurn<Question, Answer>(
  max: number,
  answer: (questions: readonly Question[]) => Promise<Answer[]>,
): (question: Question) => Promise<Answer> {
  const loader = new DataLoader(answer, { batchScheduleFn: setImmediate, maxBatchSize: max, cache: false });
  return (question) => loader.load(question);
}
