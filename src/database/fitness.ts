import type { DatabaseUrl } from '../../config/database-url.ts';
import type { ConnectionMode, ServerRole } from './connection.ts';
import { quoteIdentifier as quoted } from './quote-identifier.ts';
import { REQUIRED } from './session-settings.ts';
import type { SessionSurvey } from './session-survey.ts';
import { wrongRole } from './standby.ts';
import { DatabaseUnfit } from './unfit.ts';

/** The search path of all connections: the schema of Rollcall's tables, and that of the trigram operators. */
export function searchPathOf({ home, path, trigramSchema }: SessionSurvey): readonly string[] {
  const schemas = [home ?? path[0], trigramSchema];
  return [...new Set(schemas.filter((schema) => typeof schema === 'string'))];
}

/**
 * Throws {@link DatabaseUnfit} where Rollcall cannot work with a database: it says why, and which statement mends it. Throws what
 * {@link wrongRole} returns.
 */
export function checkFitness(
  seen: SessionSurvey,
  mode: ConnectionMode,
  url: DatabaseUrl,
  role: ServerRole = 'primary',
): void {
  const { database, encoding, isStandby } = seen;
  const unfit = wrongRole(isStandby, role);
  if (unfit !== undefined) throw unfit;
  if (encoding !== 'UTF8') {
    throw new DatabaseUnfit(
      `The database ${database} has the encoding ${encoding}, and Rollcall needs UTF8. Make another one: ` +
        `create database NAME encoding 'UTF8' template template0`,
    );
  }
  checkSchema(seen, mode, url);
  if (mode === 'pooled') checkPooledSession(seen, url);
}

function checkSchema(
  { path, home, user, database }: SessionSurvey,
  mode: ConnectionMode,
  url: DatabaseUrl,
): void {
  const [first] = path;
  // A schema that is missing, or closed to the role, is not in the path: PostgreSQL passes over it.
  if (first === undefined) {
    const name = quoted(url.schema ?? user);
    throw new DatabaseUnfit(
      url.schema === undefined
        ? `The search path of ${user} in ${database} has no schema that exists and that it may use. Set one: ` +
            `alter role ${quoted(user)} in database ${quoted(database)} set search_path = public`
        : `The schema ${url.schema} is missing, or closed to ${user}. An owner of the database runs: ` +
            `create schema if not exists ${name}; grant usage, create on schema ${name} to ${quoted(user)}`,
    );
  }
  if ((home ?? first).includes('.')) {
    throw new DatabaseUnfit(
      `Rollcall cannot use a schema with a dot in its name (${home ?? first}): name another one in DATABASE_URL, with ?schema=.`,
    );
  }
  const wanted = url.schema ?? home ?? first;
  if (first !== wanted && (mode === 'pooled' || url.schema !== undefined)) {
    throw new DatabaseUnfit(
      `Rollcall's tables belong into the schema ${wanted}, but the sessions behind the pooler look into ${first} first. ` +
        `Run this, and reconnect the pooler: ${alterRole(user, database, 'search_path', quoted(wanted))}`,
    );
  }
}

function checkPooledSession({ settings, user, database }: SessionSurvey, url: DatabaseUrl): void {
  if (url.options !== undefined) {
    throw new DatabaseUnfit(
      `DATABASE_URL has options (${url.options}), which the pooler does not pass on. Remove them, and set each one ` +
        `for the role: ${alterRole(user, database, 'NAME', 'VALUE')}`,
    );
  }
  const wrong = Object.entries(REQUIRED).filter(([name, value]) => !isSame(name, settings[name], value));
  if (wrong.length === 0) return;
  const found = wrong.map(([name]) => `${name} = ${settings[name]}`).join(', ');
  const statements = wrong.map(([name, value]) => alterRole(user, database, name, `'${value}'`));
  throw new DatabaseUnfit(
    `The sessions behind the pooler have settings that Rollcall cannot work with (${found}), and a pooler does not let it ` +
      `change them. Run this, and reconnect the pooler: ${statements.join('; ')}`,
  );
}

/** Whether a setting is as good as the required one. */
function isSame(name: string, found: string | undefined, required: string): boolean {
  // A pooler that does not track these is no harm: what statements read and write stays the same.
  if (['TimeZone', 'IntervalStyle', 'bytea_output', 'extra_float_digits'].includes(name)) return true;
  if (name === 'DateStyle') return found?.startsWith('ISO') === true;
  return found === required;
}

function alterRole(user: string, database: string, name: string, value: string): string {
  return `alter role ${quoted(user)} in database ${quoted(database)} set ${name} = ${value}`;
}
