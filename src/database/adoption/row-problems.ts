import type { EntityManager } from '@mikro-orm/postgresql';
import { ROLES, STORAGE_MODES } from '../../domain/user.ts';
import { idsOf, type Problem } from './problem.ts';
import type { TableShape } from './shape.ts';
import { isConvertible } from './shape-problems.ts';
import { choiceOf } from './target.ts';

/** A rule for the rows, in SQL: `is` is true for those that break it. */
interface Rule {
  readonly column: string;
  readonly is: string;
  readonly message: string;
}

/** The width of the column. */
const NAME_MAX_LENGTH = 255;

const ONE_OF = {
  role: ROLES,
  storage_mode: STORAGE_MODES,
} as const;

/** The rules that SQL can check for the columns that the table has. Emails and preferences are read row by row. */
function rules({ columns }: TableShape): Rule[] {
  const has = (name: string) => columns.some((column) => column.name === name && isConvertible(column));
  const all: Rule[] = [
    {
      column: 'id',
      is: 'id::bigint not between 1 and 2147483647',
      message: 'must be between 1 and 2147483647',
    },
    { column: 'email', is: 'email is null', message: 'is null; give the row an email or delete it' },
    {
      column: 'name',
      is: `length(name::text) > ${NAME_MAX_LENGTH}`,
      message: `is longer than ${NAME_MAX_LENGTH} characters; shorten it`,
    },
    ...Object.entries(ONE_OF).map(([column, values]) => ({
      column,
      is: `${choiceOf(column)} not in (${values.map((value) => `'${value}'`).join(', ')})`,
      message: `must be one of ${values.join(', ')}, in any case, or null; change it`,
    })),
    ...['created_at', 'updated_at'].map((column) => ({
      column,
      // What JavaScript and RFC 3339 can say.
      is: `${column} < timestamp '0001-01-01' or ${column} >= timestamp '10000-01-01'`,
      message: 'must be a time between the years 1 and 9999',
    })),
  ];
  return all.filter(({ column }) => has(column));
}

/** Everything in the rows that SQL can find. Needs a readable table. */
export async function rowProblems(em: EntityManager, shape: TableShape): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const { column, is, message } of rules(shape)) {
    const [found] = await em.execute<{ total: string; ids: number[] }[]>(
      `select count(*) as total, (array_agg(id::float8 order by id))[1:20] as ids from users where ${is}`,
    );
    const total = Number(found?.total);
    if (found === undefined || total === 0) continue;
    problems.push({ column, message: `${message} (${idsOf(found.ids, total)})` });
  }
  return problems;
}
