#!/usr/bin/env node
/**
 * The command `rollcall` of the package: without arguments it starts the service, else it runs a command. It imports what it runs from
 * beside itself in the build, and nothing before it knows that this Node.js can read it.
 */
import { nodeProblem } from '../../config/node-version.ts';
import packageJson from '../../package.json' with { type: 'json' };

/** The commands, and what each of them does. */
const COMMANDS = {
  accounts: 'accounts, their history, and what is wrong (accounts doctor)',
  migrate: 'migrate the database apart from a start',
  token: 'print a token for an email',
  config: 'print the settings in force, and where each is from',
};

const USAGE = `Usage: npx rollcall [COMMAND …]

Without a command, it starts the service, with the settings of the environment and, in development, of ./.env. Without DATABASE_URL
it brings a PostgreSQL of its own, for development, whose data is in ./.data.

${Object.entries(COMMANDS)
  .map(([name, does]) => `  ${name.padEnd(9)} ${does}`)
  .join('\n')}

  --help     print this text; after a command, the usage of that
  --version  print the version`;

/** The exit codes of sysexits.h. */
const EXIT_USAGE = 64;
const EXIT_CONFIG = 78;

const [name] = process.argv.slice(2);
const tooOld = nodeProblem();
if (tooOld !== undefined) {
  console.error(tooOld);
  process.exitCode = EXIT_CONFIG;
} else if (name === undefined) await run('server');
else if (name === '--version') console.log(packageJson.version);
else if (name === '--help') console.log(USAGE);
else if (Object.hasOwn(COMMANDS, name)) {
  // The command finds its own arguments where it always does.
  process.argv.splice(2, 1);
  await run(name);
} else {
  console.error(`There is no command ${name}.\n\n${USAGE}`);
  process.exitCode = EXIT_USAGE;
}

async function run(program: string): Promise<void> {
  await import(new URL(`${program}.js`, import.meta.url).href);
}
