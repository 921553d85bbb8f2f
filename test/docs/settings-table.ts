import { schemaFor, type Variable, variables } from '../../config/schema.ts';

/** Where the table begins and ends on its page. */
const [BEGIN, END] = ['<!-- from config/schema.ts -->', '<!-- end -->'];

/** An entry of the schema, with the bounds of a number. */
type Entry = Variable & { readonly min?: number; readonly max?: number };

/** The page with the table of the settings as the schema has it. */
export function withSettingsTable(page: string): string {
  const [head, rest] = page.split(BEGIN);
  const [, tail] = rest?.split(END) ?? [];
  if (head === undefined || tail === undefined) throw new Error(`The page lacks ${BEGIN} … ${END}.`);
  return `${head}${BEGIN}\n\n${settingsTable()}\n\n${END}${tail}`;
}

/** The table: a row for each variable, in the order of the schema. */
function settingsTable(): string {
  const rows = variables.map((variable) => {
    const { env, mayBeFile } = variable;
    const names = [env, ...(mayBeFile ? [`${env}_FILE`] : [])].map((name) => `\`${name}\``).join(', ');
    return `| ${names} | ${defaultOf(variable)} | ${meaningOf(variable)} |`;
  });
  return ['| variable | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function defaultOf({ path, default: standard }: Variable): string {
  const [development, production] = [shown(standard), shown(defaultIn('production', path))];
  return development === production ? development : `${development}; in production: ${production}`;
}

function defaultIn(environment: 'production', path: string): unknown {
  let value: unknown = schemaFor(environment);
  for (const name of path.split('.')) value = (value as Record<string, unknown>)[name];
  return (value as Variable).default;
}

function shown(value: unknown): string {
  const isNone = value === null || value === '' || (Array.isArray(value) && value.length === 0);
  return isNone ? 'none' : `\`${String(value)}\``;
}

function meaningOf({ doc, min, max, example, default: standard, sensitive }: Entry): string {
  const bounds = min === undefined ? '' : ` ${boundsOf(min, max as number)}`;
  const sample =
    example === undefined || sensitive || shown(standard) !== 'none' ? '' : ` For example \`${example}\`.`;
  return `${doc.replaceAll('*', '\\*')}${bounds}${sample}`.replaceAll('|', '\\|');
}

function boundsOf(min: number, max: number): string {
  const [from, to] = [min, max].map((bound) => bound.toLocaleString('en'));
  // The longest times that there are.
  return max === 2 ** 31 - 1 || max === 2_147_000_000 ? `At least ${from}.` : `From ${from} to ${to}.`;
}
