import type { QueryOf } from '../../../client/index.ts';
import { isObject } from '../../../client/merge-patch.ts';
import type { Texts } from '../../data/address.ts';
import type { LiveChange } from '../../data/live.ts';
import type { WrongFilter } from '../../parts/wrong-filters.tsx';
import { texts } from '../../texts.ts';

/** The filters of the history, as the address has them. */
export interface AddressFilters {
  readonly actor?: string;
  readonly action?: string;
  readonly field?: string;
  /** Days in the reader's time zone, both inclusive. */
  readonly from?: string;
  readonly to?: string;
  /** The id of an account, and of a request. */
  readonly account?: string;
  readonly request?: string;
}

/** The filters as the service takes them. */
export type HistoryQuery = Pick<
  Texts<QueryOf<'GET /v1/history'>>,
  'actor' | 'action' | 'field' | 'since' | 'until' | 'userId' | 'requestId'
>;

/** The fields that the history records. */
export const HISTORY_FIELDS = [
  'email',
  'name',
  'role',
  'roleUntil',
  'status',
  'storageMode',
  'preferences',
] as const;

/** Whether a text is the id of an account. */
export function isAccountId(text: string): boolean {
  return /^[1-9]\d{0,9}$/.test(text);
}

/** The names of the filters in the address, by the service's names where these are others. */
export const ADDRESS_NAMES = { userId: 'account', requestId: 'request' } as const;

/** The days in an address that are none: the service is asked without them. */
export function wrongDays(filters: AddressFilters): readonly WrongFilter[] {
  const isWrong = (name: 'from' | 'to') =>
    filters[name] !== undefined && dayStart(filters[name], 0) === undefined;
  return (['from', 'to'] as const).filter(isWrong).map((name) => ({ name, reason: texts.filters.day }));
}

/** What to ask the service for, which knows what each filter can be. */
export function historyQuery({
  actor,
  action,
  field,
  from,
  to,
  account,
  request,
}: AddressFilters): HistoryQuery {
  return {
    actor: actor || undefined,
    action: (action || undefined) as LiveChange['action'] | undefined,
    field: field || undefined,
    since: dayStart(from, 0)?.toISOString(),
    until: dayStart(to, 1)?.toISOString(),
    userId: account || undefined,
    requestId: request || undefined,
  };
}

/** The beginning of a day in the reader's time zone, or of a later one; `undefined` for what is no day. */
function dayStart(day: string | undefined, later: number): Date | undefined {
  const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day ?? '') ?? [];
  if (date === undefined) return undefined;
  const start = new Date(Number(year), Number(month) - 1, Number(date));
  // `Date` takes a day that a month does not have for one of the next month.
  if (start.getDate() !== Number(date) || start.getMonth() !== Number(month) - 1) return undefined;
  start.setDate(start.getDate() + later);
  return start;
}

/** Whether a change is among those that the service answers for these filters. */
export function matches(change: LiveChange, query: HistoryQuery): boolean {
  const { actor, action, field, since, until, userId, requestId } = query;
  const at = Date.parse(change.at);
  return (
    (actor === undefined || change.actor.toLowerCase() === actor.toLowerCase()) &&
    (action === undefined || change.action === action) &&
    (userId === undefined || `${change.userId}` === userId) &&
    (requestId === undefined || change.requestId === requestId) &&
    (since === undefined || at >= Date.parse(since)) &&
    (until === undefined || at < Date.parse(until)) &&
    (field === undefined || hasField(change, field))
  );
}

function hasField({ action, before, after }: LiveChange, field: string): boolean {
  // Every creation and every deletion has every field.
  if (action !== 'updated' && !field.includes('.')) return true;
  return [before, after].some((side) => hasPath(side, field));
}

/** Names may have dots in them. */
function hasPath(values: unknown, path: string): boolean {
  if (!isObject(values)) return false;
  return Object.entries(values).some(
    ([name, value]) =>
      name === path || (path.startsWith(`${name}.`) && hasPath(value, path.slice(name.length + 1))),
  );
}
