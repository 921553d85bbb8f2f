import { variables } from './schema.ts';

const HEAD = `# The settings of Rollcall with their defaults, or an example where there is none. Copy this file to .env and
# uncomment what you change. A secret may come from a file instead: set its _FILE twin in its place.
# Written by: node config/print.ts --env-example > .env.example`;

/** The text of `.env.example`: every variable with its doc, all commented out, so that a plain copy changes nothing. */
export function envExample(): string {
  const entries = variables.map(({ env, doc, example, default: standard, sensitive }) => {
    const file = sensitive ? `\n# ${env}_FILE=/run/secrets/${env.toLowerCase()}` : '';
    return `# ${doc}\n# ${env}=${example ?? standard}${file}`;
  });
  return `${[HEAD, ...entries].join('\n\n')}\n`;
}
