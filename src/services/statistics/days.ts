import type { EntityManager } from '@mikro-orm/postgresql';
import { ACTIONS } from '../../domain/change.ts';
import { lapsedSql } from '../../store/lapsed.ts';
import { runAlone } from '../../store/statements.ts';
import { KEPT_DAYS } from '../access/refused-sign-ins.ts';
import type { Calendar, Day, Span } from './calendar.ts';

/** The most of anything that is counted for one day: a chart must not read a whole history. */
export const COUNT_CAP = 20_000;

/** The most accounts that are counted in all. Each was last seen in one week only. */
export const TOTAL_CAP = 1_000_000;

/** What happened on a day. */
export interface DayCounts {
  readonly date: Day;
  /** Accounts created, among those that exist. */
  readonly created: number;
  readonly changes: number;
  /** Emails refused for a reason for the last time; `null` where refusals are not kept for so long. */
  readonly refused: number | null;
  /** Whether a count has stopped at its cap. */
  readonly capped: boolean;
}

/** The accounts that were last seen in a week. */
export interface WeekCounts {
  /** Its Monday. */
  readonly date: Day;
  readonly lastSeen: number;
  readonly capped: boolean;
}

/** The accounts there are. */
export interface Totals {
  readonly accounts: number;
  /** Active ones. */
  readonly admins: number;
  readonly suspended: number;
  readonly capped: boolean;
}

/** All counts of a range of days. */
export interface Statistics {
  readonly totals: Totals;
  readonly days: readonly DayCounts[];
  readonly weeks: readonly WeekCounts[];
}

/** SQL for a count of rows up to one beyond a cap, which is as many as are read. */
const counted = (from: string, cap = COUNT_CAP) =>
  `(select count(*)::int from (select from ${from} limit ${cap + 1}) as counted)`;

const SPANS = `unnest($1::timestamptz[], $2::timestamptz[]) with ordinality as span (begins, ends, place)`;

// Changes are in an index by action: those of the second are only read where the first has not reached the cap.
const changesOf = ACTIONS.map(
  (action) => `select from changes where action = '${action}' and at >= begins and at < ends`,
).join(' union all ');

/**
 * Counts by day. Each count reads a range of an index, {@link COUNT_CAP} and one rows at most, and nothing of the table where its pages
 * are all visible.
 */
export const DAYS = `
  select ${counted('users where created_at >= begins and created_at < ends')} as created,
         ${counted(`(${changesOf}) as changes`)} as changes,
         ${counted('refused_sign_ins where last_at >= begins and last_at < ends')} as refused,
         begins < now() - interval '${KEPT_DAYS} days' as "isForgotten"
    from ${SPANS} order by place`;

const WEEKS = `
  select ${counted('sightings where last_seen_at >= begins and last_seen_at < ends', TOTAL_CAP)} as "lastSeen"
    from ${SPANS} order by place`;

const TOTALS = `
  select ${counted('users', TOTAL_CAP)} as accounts,
         ${counted(`users where role = 'admin' and status = 'active' and not ${lapsedSql('users')}`)} as admins,
         ${counted(`users where status = 'suspended'`, TOTAL_CAP)} as suspended`;

interface DayRow {
  readonly created: number;
  readonly changes: number;
  readonly refused: number;
  readonly isForgotten: boolean;
}

/** Counts what happened on each day from `first` to `last`, and who was last seen in each week that has any of them. */
export async function statisticsOf(
  em: EntityManager,
  calendar: Calendar,
  first: Day,
  last: Day,
): Promise<Statistics> {
  const ask = <Row>(text: string, spans?: readonly Span[]) =>
    runAlone<Row>(em, {
      text,
      values: spans ? [spans.map(({ begins }) => begins), spans.map(({ ends }) => ends)] : [],
    });
  const [days, weeks] = [calendar.days(first, last), calendar.weeks(first, last)];
  // One after the other: a chart takes one connection.
  const dayRows = await ask<DayRow>(DAYS, days);
  const weekRows = await ask<{ lastSeen: number }>(WEEKS, weeks);
  const [totals] = await ask<Omit<Totals, 'capped'>>(TOTALS);
  const { accounts, admins, suspended } = totals as Omit<Totals, 'capped'>;
  return {
    totals: {
      accounts: Math.min(accounts, TOTAL_CAP),
      admins: Math.min(admins, COUNT_CAP),
      suspended: Math.min(suspended, TOTAL_CAP),
      capped: accounts > TOTAL_CAP || suspended > TOTAL_CAP || admins > COUNT_CAP,
    },
    days: dayRows.map((row, at) => dayCounts(days[at]?.date ?? '', row)),
    weeks: weekRows.map(({ lastSeen }, at) => ({
      date: weeks[at]?.date ?? '',
      lastSeen: Math.min(lastSeen, TOTAL_CAP),
      capped: lastSeen > TOTAL_CAP,
    })),
  };
}

function dayCounts(date: Day, { created, changes, refused, isForgotten }: DayRow): DayCounts {
  const capped = (count: number) => Math.min(count, COUNT_CAP);
  return {
    date,
    created: capped(created),
    changes: capped(changes),
    refused: isForgotten ? null : capped(refused),
    capped: [created, changes, refused].some((count) => count > COUNT_CAP),
  };
}
