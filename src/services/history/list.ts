import type { EntityManager } from '@mikro-orm/postgresql';
import { ACTIONS, type Action, type Change, STATE_FIELDS } from '../../domain/change.ts';
import { emailForms, normalizeEmail } from '../../domain/email.ts';
import { marksAbove } from '../../domain/field-index.ts';
import { serviceActor } from '../../domain/service-token.ts';
import { CHANGE_COLUMNS, CHANGE_VALUES, type ChangeRow, changeOf } from '../../store/change-rows.ts';
import { type Measured, partOf, readInParts, unmeasured, withinBytes } from '../../store/page-bytes.ts';
import { type Bind, parameters, runAlone, type Statement } from '../../store/statements.ts';
import { DEFAULT_LIMIT, type Page, type PageRequest, type Position, pageOf } from '../paging.ts';

/** Filters of the history: entries match all that are given. */
export interface ChangeFilters {
  /** Who acted: an email as it was at the time, in any form of it, or the name of another actor (`cli`, `service:billing`). */
  readonly actor?: string | undefined;
  /** The account that was changed. */
  readonly userId?: number | undefined;
  /** The request that made the change, by its id. */
  readonly requestId?: string | undefined;
  readonly action?: Action | undefined;
  /** A changed field, or a path in the preferences: `preferences.theme`. */
  readonly field?: string | undefined;
  /** Inclusive. */
  readonly since?: Date | undefined;
  /** Exclusive. */
  readonly until?: Date | undefined;
}

/** A service token as an actor; no email has a colon. */
const SERVICE = /^service:(.*)$/is;

/**
 * Reads a page of the history, newest first, and no more than has room in memory: in one query, or a few where the page is long,
 * see {@link readInParts}. Pages continue where the last one ended (keyset pagination).
 */
export async function listChanges(
  em: EntityManager,
  request: ChangeFilters & PageRequest,
): Promise<Page<Change>> {
  const { limit = DEFAULT_LIMIT } = request;
  const { actor } = request;
  const services = actor === undefined ? [] : await servicesNamed(em, actor);
  const positionOf = ({ at, id }: ChangeRow): Position => [at, id];
  const { rows, isCut } = await readInParts<ChangeRow & Measured>(limit + 1, async (last, size) => {
    const after = last === undefined ? request.after : positionOf(last);
    return partOf(await runAlone(em, changesStatement({ ...request, services, after, size })));
  });
  return pageOf(rows, limit, {
    isCut,
    positionOf,
    itemOf: (row) => changeOf(em, unmeasured(row)),
  });
}

/** The service tokens that an actor means, in any case of their names, as entries have them. */
async function servicesNamed(em: EntityManager, actor: string): Promise<readonly string[]> {
  const [, name] = SERVICE.exec(actor) ?? [];
  if (name === undefined) return [];
  const rows = await runAlone<{ name: string }>(em, {
    text: 'select name from service_tokens where lower(name) = lower($1)',
    values: [name.normalize('NFC')],
  });
  return rows.map(({ name }) => serviceActor(name));
}

/**
 * The statement that reads `size` entries of a page, which begins `after` a position. It merges the pages of each
 * action, each of which is in the order of an index, whatever the planner assumes about the filters.
 */
export function changesStatement({
  size,
  after,
  since,
  until,
  ...filters
}: StatementFilters & {
  size: number;
  after?: Position | undefined;
}): Statement {
  const { values, bind } = parameters();
  const limit = bind(size);
  const times = [
    ...(since === undefined ? [] : [`at >= ${bind(since)}`]),
    ...(until === undefined ? [] : [`at < ${bind(until)}`]),
    ...(after === undefined ? [] : [`(at, id) < (${after.map(bind).join(', ')})`]),
  ];
  const pages = sources(filters, bind).map(({ from, conditions }) => {
    const where = [...conditions, ...times].join(' and ');
    return `(select at, id from ${from} where ${where} order by at desc, id desc limit ${limit})`;
  });
  // Of several marks that lead to a change, one is enough.
  const merge = filters.field?.includes('.') ? ' union ' : ' union all ';
  return {
    text: withinBytes(
      `select ${CHANGE_COLUMNS}
         from changes join (
           select id from (${pages.join(merge)}) as found order by at desc, id desc limit ${limit}
         ) as page using (id)`,
      { order: 'at desc, id desc', columns: CHANGE_VALUES },
    ),
    values,
  };
}

const INDEX = '(select field, action, at, change_id as id from change_fields) as indexed';

/** A relation to search, and the conditions of the search. */
interface Source {
  readonly from: string;
  readonly conditions: readonly string[];
}

/** Filters, and the service tokens that their actor means. */
type StatementFilters = ChangeFilters & { readonly services?: readonly string[] };

function sources({ actor, services = [], ...filters }: StatementFilters, bind: Bind): Source[] {
  // Entries keep the form in which an email was stored at their time.
  const actors =
    actor?.includes('@') && !SERVICE.test(actor)
      ? emailForms(normalizeEmail(actor))
      : [...new Set([actor, ...services])];
  return actors.flatMap((each) => sourcesOf({ ...filters, actor: each }, bind));
}

function sourcesOf({ actor, userId, requestId, action, field }: ChangeFilters, bind: Bind): Source[] {
  const equals = (column: string, value: unknown) =>
    value === undefined ? [] : [`${column} = ${bind(value)}`];
  const hasField = () => (field === undefined ? [] : [`${bind(field)} = any(fields)`]);
  if (userId !== undefined || requestId !== undefined) {
    const conditions = [
      ...equals('user_id', userId),
      ...equals('request_id', requestId),
      ...equals('actor', actor),
      ...equals('action', action),
    ];
    return [{ from: 'changes', conditions: [...conditions, ...hasField()] }];
  }
  return (action === undefined ? ACTIONS : [action]).flatMap((each): Source[] => {
    // Every creation and every deletion has every field.
    const matchesAll =
      field === undefined || (each !== 'updated' && STATE_FIELDS.some((known) => known === field));
    // An index can follow one of two filters: an actor has done less than has been done to a field.
    if (actor !== undefined) {
      const byBoth = equals(`actor || ' ' || action`, `${actor} ${each}`);
      return [{ from: 'changes', conditions: [...byBoth, ...(matchesAll ? [] : hasField())] }];
    }
    if (matchesAll) return [{ from: 'changes', conditions: equals('action', each) }];
    const under = (name: string) => [...equals('field', name), ...equals('action', each)];
    return [
      { from: INDEX, conditions: under(field) },
      ...marksAbove(field).map((mark) => ({
        // `offset 0` keeps PostgreSQL to the order of the index, change by change.
        from: `${INDEX} cross join lateral
          (select from changes where changes.id = indexed.id and ${hasField()} offset 0) as marked`,
        conditions: under(mark),
      })),
    ];
  });
}
