import type { Right } from '../domain/right.ts';
import type { AccountColumn } from './account-columns.ts';
import { recordSql } from './change-log.ts';
import { lapsedSql } from './lapsed.ts';
import { USABLE } from './right-check.ts';
import { SESSION_USABLE } from './session-condition.ts';

/** The text of a statement, and the name under which it is prepared. */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** Statements that write accounts and their history, each a transaction of its own. */
export interface AtOnceStatements {
  readonly create: NamedText;
  readonly update: NamedText;
  readonly delete: NamedText;
  /** Updates of several accounts whose authors' rights need no check. It leaves out the accounts that others have locked. */
  readonly updateSeveral: NamedText;
}

/** A row that {@link AtOnceStatements} return: what they wrote, and for which line. */
export interface WrittenRow {
  readonly ordinal: number;
  readonly id: number;
  readonly version: number;
  readonly created_at: string;
  readonly updated_at: string;
}

/**
 * The statements. The parameter of each has the writes as a table: in a line the account's columns, its change as
 * `changeRecord` has it, its author, and the right to check. An update sets all columns, so that its statement is always the same:
 * what has not changed is what the version was read with.
 */
export function atOnceStatements(columns: readonly AccountColumn[]): AtOnceStatements {
  const settable = columns.filter(({ property }) => !KEPT.has(property)).map(({ name }) => name);
  // The database gives a new account its time.
  const first = settable.filter((name) => name !== 'updated_at').join(', ');
  const update = (lines: string) => `
      update users set ${settable.map((name) => `${name} = line.${name}`).join(', ')}, version = users.version + 1
        from ${lines} as line where ${IS_TARGET}
      returning ordinal, users.id as user_id, users.version, users.created_at, users.updated_at`;
  const text = (parts: readonly string[], changed: string, isLast = true) => `
    with ${[lineSql(columns), ...parts].join(', ')}, changed as (${changed}
    ), draft as (
      select changed.user_id, changed.version, changed.updated_at as at, false as erased, line.ordinal,
             action, before, after, fields, names, actor_id, actor, request_id, reason
        from changed join line using (ordinal)
    ), ${recordSql(AUTHOR, { isLast })}
    select ordinal, user_id as id, version, created_at, updated_at from changed`;
  return {
    create: {
      name: 'create-account',
      text: text(
        allowed(''),
        `
      insert into users (${first}) select ${first} from allowed
      returning 0 as ordinal, id as user_id, version, created_at, updated_at`,
      ),
    },
    update: {
      name: 'update-account',
      text: text(
        [target('no key update'), ...allowed('where exists (select from target)')],
        update('allowed'),
      ),
    },
    updateSeveral: {
      name: 'update-accounts',
      text: text([target('no key update', 'skip locked')], update('line')),
    },
    delete: {
      name: 'delete-account',
      text: text(
        [target('update'), ...allowed('where exists (select from target)')],
        `
      delete from users using allowed as line where ${IS_TARGET}
      returning ordinal, users.id as user_id, users.version + 1 as version, users.created_at, null::timestamptz as updated_at`,
        false,
      ),
    },
  };
}

/** What an update keeps, and the version, which it counts itself. */
const KEPT: ReadonlySet<string> = new Set(['id', 'createdAt', 'version']);

const IS_TARGET =
  'users.id = line.id and users.version = line.version and users.id in (select id from target)';

const AUTHOR = {
  actorId: 'draft.actor_id',
  actor: 'draft.actor',
  requestId: 'draft.request_id',
  undoes: 'null',
  reason: 'draft.reason',
};

function lineSql(columns: readonly AccountColumn[]): string {
  const own = columns
    .filter(({ property }) => property === 'id' || property === 'version' || !KEPT.has(property))
    .map(({ name, type }) => `${name} ${type}`);
  return `line as materialized (
      select * from jsonb_to_recordset($1::jsonb) as line (
        ${own.join(', ')}, ordinal int, action text, before jsonb, after jsonb, fields text[], names text[],
        actor_id int, actor text, request_id text, reason text, right_account int, right_session int, right_token int, as_admin boolean)
    )`;
}

/** The accounts that are written, locked at the version that was read. */
function target(lock: 'update' | 'no key update', others: '' | 'skip locked' = ''): string {
  return `target as materialized (
      select id from users join line using (id, version) order by id for ${lock} of users ${others}
    )`;
}

/**
 * The lines whose author has the right that the unit needs. A share lock orders the check against a change of the right, as
 * `checkRight` does: after the account itself, because whoever holds the lock makes that change wait.
 */
function allowed(once: string): readonly string[] {
  return [
    `author as materialized (
      select users.id
        from users join line on users.id = right_account and users.status = 'active' and (not as_admin or users.role = 'admin' and not ${lapsedSql('users')})
       ${once} for share of users
    )`,
    `session as materialized (
      select console_sessions.id from console_sessions join line on console_sessions.id = right_session and ${SESSION_USABLE}
       ${once} for key share of console_sessions
    )`,
    `token as materialized (
      select service_tokens.id from service_tokens join line on service_tokens.id = right_token and ${USABLE}
       ${once} for share of service_tokens
    )`,
    `allowed as (
      select * from line
       where (right_account is null or right_account in (select id from author))
         and (right_session is null or right_session in (select id from session))
         and (right_token is null or right_token in (select id from token))
    )`,
  ];
}

/** A right as a line has it; `isChecked` but for the session of the author. */
export function rightColumns(right: Right, isChecked: boolean) {
  if ('serviceTokenId' in right) return isChecked ? {} : { right_token: right.serviceTokenId };
  const { accountId, asAdmin, sessionId } = right;
  return {
    ...(!isChecked && { right_account: accountId, as_admin: asAdmin }),
    ...(sessionId !== undefined && { right_session: sessionId }),
  };
}
