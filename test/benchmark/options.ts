import { parseArgs } from 'node:util';
import type { Rounds } from './measure.ts';
import { isUrl, localOrigin } from './running.ts';

/** What a run is asked for. */
export interface Options {
  readonly accounts: number;
  /** Changes of each account, besides its creation. */
  readonly changes: number;
  /** The names of the cases, in the order of their measurement. */
  readonly names: readonly string[];
  /** A file for the results. */
  readonly json: string | undefined;
  /** Another build to compare with: its folder, or its URL where it runs. */
  readonly against: string | undefined;
  readonly rounds: Rounds;
}

/** Reads the command line. Ends the process after `--help`, and with 64 where it is wrong. `all` are the cases that exist. */
export function readOptions(all: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      options: {
        accounts: { type: 'string', default: '100000' },
        changes: { type: 'string', default: '0' },
        cases: { type: 'string', default: 'me,list,patch,boot' },
        json: { type: 'string' },
        against: { type: 'string' },
        'warm-up': { type: 'string', default: '12' },
        seconds: { type: 'string', default: '5' },
        rounds: { type: 'string', default: '5' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(usage(all));
      process.exit(0);
    }
    const names = values.cases === 'all' ? all : values.cases.split(',');
    const unknown = names.filter((name) => !all.includes(name));
    if (unknown.length > 0) throw new Error(`There is no case ${unknown.join(', ')}.`);
    const wanted = all.filter((name) => names.includes(name));
    const changes = Number(values.changes);
    const numbers = [values.accounts, values['warm-up'], values.seconds, values.rounds].map(Number);
    const [accounts = 0, warmUp = 0, seconds = 0, count = 0] = numbers;
    const areWhole = numbers.every((value) => Number.isSafeInteger(value) && value > 0);
    if (!areWhole || accounts < 2_000 || !Number.isSafeInteger(changes) || changes < 0)
      throw new Error('The numbers must be whole, and --accounts at least 2000.');
    const url = values.against && isUrl(values.against) ? localOrigin(values.against) : undefined;
    if (url !== undefined && changes > 0)
      throw new Error('--against URL needs --changes 0: that build has no history of the accounts.');
    return {
      accounts,
      changes,
      names: wanted,
      json: values.json,
      against: url ?? values.against,
      rounds: { warmUp, seconds, count },
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage(all)}`);
    process.exit(64);
  }
}

const usage = (all: readonly string[]) => `Usage: npm run benchmark -- [OPTION…]

  --accounts N     accounts in the database (default: 100000)
  --changes N      changes of each account in its history, besides its creation (default: 0)
  --cases A,B      cases, or all (default: me,list,patch,boot), which are measured in this order:
                   ${all.join(', ')}
  --json FILE      write the results to FILE after each case
  --against DIST   compare with another build, in the folder DIST
  --against URL    compare with another build that runs on this machine, such as http://127.0.0.1:8001, in all cases
                   but boot, slow-commits and those with settings of their own. Give it an empty database of its own: the benchmark
                   imports its accounts there. That database is not vacuumed as the others are, so that DIST is the
                   fairer comparison. Not with --changes. Start it with the AUTH_SECRET of test/support/app.ts,
                   INITIAL_ADMINS=root@example.com, RATE_LIMIT_REQUESTS=0, RATE_LIMIT_HISTORY_BYTES=0 and
                   LOG_LEVEL=warn. The benchmark cannot measure its database's processor time and prints a dash
  --warm-up S      seconds of the warm-up of each server (default: 12)
  --seconds S      seconds of a round (default: 5)
  --rounds N       rounds after the warm-up (default: 5)
  --help           print this text`;
