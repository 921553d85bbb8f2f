import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { CLUSTER_FAULTS, FAULTS, type Fault, missing } from './faults/index.ts';

/** What a run is asked for. */
export interface Options {
  readonly seconds: number;
  /** Whether it takes hours: then the load is lighter, and outages are longer. */
  readonly isLong: boolean;
  readonly seed: number;
  /** The names of the faults. */
  readonly faults: readonly string[];
  /** Whether the database is a cluster under Patroni, and whether no commit waits for a standby there. */
  readonly patroni: boolean;
  readonly asynchronous: boolean;
  /** The folder of the build. */
  readonly dist: string;
  /** A file for the results. */
  readonly json: string | undefined;
  /** A folder for the logs of the replicas. */
  readonly logs: string | undefined;
}

/** Reads the command line. Ends the process after `--help`, and with 64 where it is wrong. */
export function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string' },
        hours: { type: 'string' },
        seed: { type: 'string' },
        faults: { type: 'string', default: 'all' },
        patroni: { type: 'boolean', default: false },
        asynchronous: { type: 'boolean', default: false },
        dist: { type: 'string', default: 'dist' },
        json: { type: 'string' },
        logs: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(usage());
      process.exit(0);
    }
    const { patroni, asynchronous } = values;
    if (asynchronous && !patroni) throw new Error('--asynchronous is about --patroni.');
    const known = (patroni ? CLUSTER_FAULTS : FAULTS).map(({ name }) => name);
    const faults = values.faults === 'all' ? known : values.faults.split(',');
    const unknown = faults.filter((name) => !known.includes(name));
    if (unknown.length > 0) throw new Error(`There is no fault ${unknown.join(', ')}.`);
    const minutes = values.minutes ?? (patroni ? 1 : 4);
    const seconds = values.hours === undefined ? Number(minutes) * 60 : Number(values.hours) * 3_600;
    if (!(seconds > 0) || (values.hours !== undefined && values.minutes !== undefined))
      throw new Error('Give --minutes or --hours, as a number above 0.');
    const seed = values.seed === undefined ? randomInt(1_000_000) : Number(values.seed);
    if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('--seed must be a whole number.');
    return {
      seconds,
      isLong: values.hours !== undefined,
      seed,
      faults,
      patroni,
      asynchronous,
      dist: values.dist,
      json: values.json,
      logs: values.logs,
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage()}`);
    process.exit(64);
  }
}

const usage = () => `Usage: npm run endurance -- [OPTION…]

  --minutes N      begin no further fault after N minutes (default: 4, with --patroni 1); each of the faults happens once at
                   least
  --hours N        the same in hours, with a lighter load and outages of 60 seconds
  --seed N         repeat the order of the faults and what they hit (default: one that is printed)
  --faults A,B     faults, or all (default), which happen in the order of the seed:
${linesOf(FAULTS)}
  --patroni        run against three PostgreSQL under Patroni, with HAProxy in front of them, with these faults:
${linesOf(CLUSTER_FAULTS)}
  --asynchronous   with --patroni: no commit waits for a standby, and the audit excuses what that loses
  --dist FOLDER    the build to run (default: dist)
  --json FILE      write the results to FILE
  --logs FOLDER    keep the logs of the replicas in FOLDER
  --help           print this text`;

function linesOf(faults: readonly Pick<Fault, 'name' | 'title' | 'lacks'>[]): string {
  const line = (fault: Pick<Fault, 'name' | 'title' | 'lacks'>) =>
    `                     ${fault.name.padEnd(18)}${fault.title}${lackOf(fault)}`;
  return faults.map(line).join('\n');
}

function lackOf(fault: Pick<Fault, 'lacks'>): string {
  const lack = missing(fault);
  return lack === undefined ? '' : ` (left out here: ${lack})`;
}
