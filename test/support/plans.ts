import type { Statement } from '../../src/store/rows.ts';
import type { TestDatabase } from './database.ts';

/** A step of a plan, as `EXPLAIN (FORMAT JSON)` has it. Rows are those of one loop. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** The steps of the plan by which the database has executed a statement. */
export async function planOf(database: TestDatabase, { text, values }: Statement): Promise<PlanNode[]> {
  const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `explain (analyze, timing off, format json) ${text}`,
    [...values],
  );
  const steps = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(steps)];
  return steps((row as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN'][0].Plan);
}
