import type { EntityManager } from '@mikro-orm/postgresql';
import { ACTIONS, type Action, type Change, STATE_FIELDS } from '../../domain/change.ts';
import { normalizeEmail } from '../../domain/email.ts';
import type { CursorCodec, Position } from '../../security/cursor.ts';
import { CHANGE_COLUMNS, type ChangeRow, changeOf } from '../../store/change-rows.ts';
import { parameters, readRows, type Statement } from '../../store/rows.ts';
import { DEFAULT_LIMIT, type Page, type PageRequest, positionOf } from '../paging.ts';

/** Which changes to list: those that fit all that is given. */
export interface ChangeFilters {
  /** Who acted: their email at the time, in any form of it, or what the history calls who has none (`cli`). */
  readonly actor?: string | undefined;
  /** The account that was changed. */
  readonly userId?: number | undefined;
  readonly action?: Action | undefined;
  /** A field that was changed, or a path of the preferences: `preferences.theme`. */
  readonly field?: string | undefined;
  /** From this time on, itself included. */
  readonly since?: Date | undefined;
  /** Before this time, itself excluded. */
  readonly until?: Date | undefined;
}

type Bind = (value: unknown) => string;

/**
 * A page of the history, newest first, in one query. Pages go on where the last one ended (keyset pagination).
 * Throws `bad_cursor`.
 */
export async function listChanges(
  em: EntityManager,
  cursors: CursorCodec,
  request: ChangeFilters & PageRequest,
): Promise<Page<Change>> {
  const { limit = DEFAULT_LIMIT, cursor, actor, userId, action, field, since, until } = request;
  const scope = ['changes', actor, userId, action, field, since, until];
  const after = positionOf(cursors, cursor, scope);
  const rows = await readRows<ChangeRow>(em, changesStatement({ ...request, limit }, after));
  // One row more than asked for says that there is a next page.
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    items: rows.slice(0, limit).map((row) => changeOf(em, row)),
    next: last === undefined ? null : cursors.seal([last.at, last.id], scope),
  };
}

/**
 * Reads a page that begins `after` a place, and one row beyond it: merges the pages of what the filters leave of each
 * action, which are all to be found in the order of an index, whatever the planner believes of them.
 */
export function changesStatement(
  { limit, since, until, ...filters }: ChangeFilters & { limit: number },
  after?: Position,
): Statement {
  const { values, bind } = parameters();
  const size = bind(limit + 1);
  const times = [
    ...(since === undefined ? [] : [`at >= ${bind(since)}`]),
    ...(until === undefined ? [] : [`at < ${bind(until)}`]),
    ...(after === undefined ? [] : [`(at, id) < (${after.map(bind).join(', ')})`]),
  ];
  const pages = sources(filters, bind).map(({ from, conditions }) => {
    const where = [...conditions, ...times].join(' and ');
    return `(select at, id from ${from} where ${where} order by at desc, id desc limit ${size})`;
  });
  return {
    text: `select ${CHANGE_COLUMNS}
      from changes join (
        select id from (${pages.join(' union all ')}) as found order by at desc, id desc limit ${size}
      ) as page using (id)
     order by at desc, id desc`,
    values,
  };
}

/** Where to look, and for what: one place after the other. */
interface Source {
  readonly from: string;
  readonly conditions: readonly string[];
}

function sources({ actor: given, userId, action, field }: ChangeFilters, bind: Bind): Source[] {
  const by = (column: string, value: unknown) => (value === undefined ? [] : [`${column} = ${bind(value)}`]);
  const byField = () => (field === undefined ? [] : [`${bind(field)} = any(fields)`]);
  const actor = given?.includes('@') ? normalizeEmail(given) : given;
  if (userId !== undefined) {
    const conditions = [...by('user_id', userId), ...by('actor', actor), ...by('action', action)];
    return [{ from: 'changes', conditions: [...conditions, ...byField()] }];
  }
  return (action === undefined ? ACTIONS : [action]).map((each) => {
    const ofAll = field === undefined || (each !== 'updated' && STATE_FIELDS.includes(field));
    // Of two filters an index can follow one: who acts has done less than has been done to a field.
    if (actor !== undefined) {
      const byBoth = by(`actor || ' ' || action`, `${actor} ${each}`);
      return { from: 'changes', conditions: [...byBoth, ...(ofAll ? [] : byField())] };
    }
    if (ofAll) return { from: 'changes', conditions: by('action', each) };
    return {
      from: '(select field, action, at, change_id as id from change_fields) as indexed',
      conditions: [...by('field', field), ...by('action', each)],
    };
  });
}
