import { basename, dirname, join, relative } from 'node:path';

/** The commands that have a name of their own in npm, in a build and in the package. */
export type CommandName = 'accounts' | 'config' | 'migrate' | 'token';

/** Whether this process runs the command `rollcall` of the package. */
export function isPackageCommand(): boolean {
  const [, program = ''] = process.argv;
  // The link that npm makes has the name of the command; where npm makes a script, that runs the file.
  return /^rollcall(?:\.js)?$/.test(basename(program));
}

/**
 * How to call a command with `args` from here, for usages and messages: by the command of the package where that runs, through npm
 * where the sources run, and by its file in a build, which needs no npm.
 */
export function invocationOf(command: CommandName, args = ''): string {
  const [, program = ''] = process.argv;
  if (isPackageCommand()) return `npx rollcall ${command}${args && ` ${args}`}`;
  if (!program.endsWith('.js')) return `npm run --silent ${command}${args && ` -- ${args}`}`;
  const path = join(dirname(program), `${command}.js`);
  const fromHere = relative('', path);
  return `node ${fromHere.startsWith('..') ? path : fromHere}${args && ` ${args}`}`;
}
