import { dirname, join, relative } from 'node:path';

/**
 * How to call a command with `args` from here, for usages and messages: through npm where the sources run, and by its file in a
 * build, which needs no npm.
 */
export function invocationOf(command: 'accounts' | 'config' | 'migrate' | 'token', args = ''): string {
  const [, program = ''] = process.argv;
  if (!program.endsWith('.js')) return `npm run --silent ${command}${args && ` -- ${args}`}`;
  const path = join(dirname(program), `${command}.js`);
  const fromHere = relative('', path);
  return `node ${fromHere.startsWith('..') ? path : fromHere}${args && ` ${args}`}`;
}
