import type { Answered, RequestOf, RouteName } from '../../client/index.ts';
import { call } from './api.ts';

/** A change that a write would record. */
export type PlannedChange = Omit<Answered<'GET /v1/history'>['items'][number], 'id'>;

/** What a write would do: the changes that it would record, as far as they are shown. */
export interface DryRun {
  readonly changes: readonly PlannedChange[];
}

/** What a write would do. Throws what the write itself would be refused with. */
export async function dryRun<Name extends RouteName>(name: Name, request: RequestOf<Name>): Promise<DryRun> {
  const query = { ...(request.query as object | undefined), dryRun: 'true' };
  return (await call(name, { ...request, query } as RequestOf<Name>)) as unknown as DryRun;
}
