import { setTimeout as pause } from 'node:timers/promises';
import { type Fault, type FaultContext, missing } from './faults/index.ts';
import type { Ledger } from './ledger.ts';
import { type Random, shuffled } from './random.ts';
import type { Stage } from './stage.ts';

/** How long the replicas have to recover, in milliseconds. */
const PATIENCE_MS = 120_000;

/** The quiet before a fault, and after the recovery from it, in milliseconds. */
const QUIET_MS = 1_000;

/** A fault and the time around it. */
export interface Phase {
  readonly name: string;
  /** Whether it may lose what a standby has not got. */
  readonly mayLose: boolean;
  /** Whether two servers accepted writes. */
  readonly splits: boolean;
  /** When it began and ended, by the clock of the ledger, in milliseconds. */
  readonly began: number;
  readonly ended: number;
  /** How long the fault lasted, and from its end to the last replica's first acknowledged write, in seconds. */
  readonly faultSeconds: number;
  readonly recoverySeconds: number;
  /** The same of each replica, by its name. */
  readonly recoveries: Readonly<Record<string, number>>;
  /** The service's connections to PostgreSQL after the recovery. NaN where it did not answer. */
  readonly connections: number;
  /** What went wrong besides requests. */
  readonly problems: readonly string[];
}

/** Inflicts a fault, and waits until each replica has acknowledged a write that was sent after it. */
export async function inflict<S extends Stage>(
  fault: Fault<S>,
  stage: S,
  ledger: Ledger,
  context: FaultContext,
): Promise<Phase> {
  ledger.phase++;
  const problems: string[] = [];
  const began = performance.now();
  await pause(QUIET_MS);
  const inflicted = performance.now();
  await fault.inflict(stage, context).catch((error: Error) => problems.push(error.message));
  const faultSeconds = (performance.now() - inflicted) / 1_000;
  for (const what of await stage.repair()) problems.push(`${what} had ended`);
  ledger.heal();
  const hasRecovered = () => ledger.recoveries.size === stage.replicas.length;
  for (const end = performance.now() + PATIENCE_MS; !hasRecovered() && performance.now() < end; )
    await pause(20);
  const missed = stage.replicas.filter((_, n) => !ledger.recoveries.has(n));
  for (const { name } of missed) problems.push(`${name} acknowledged no write for ${PATIENCE_MS / 1_000} s`);
  const recoveries = Object.fromEntries(
    stage.replicas.map(({ name }, n) => [name, (ledger.recoveries.get(n) ?? Number.NaN) / 1_000]),
  );
  // NaN where one has not recovered.
  const recoverySeconds = Math.max(...Object.values(recoveries));
  await fault.mend?.(stage).catch((error: Error) => problems.push(error.message));
  await pause(QUIET_MS);
  const counted = await connections(stage).catch((error: Error) => {
    problems.push(`PostgreSQL does not answer: ${error.message}`);
    return Number.NaN;
  });
  return {
    name: fault.name,
    mayLose: fault.mayLose ?? false,
    splits: fault.splits ?? false,
    began,
    ended: performance.now(),
    faultSeconds,
    recoverySeconds,
    recoveries,
    connections: counted,
    problems,
  };
}

/** How many connections to PostgreSQL the service has. */
export async function connections(stage: Stage): Promise<number> {
  const sql = `select count(*)::int as n from pg_stat_activity where usename = 'rollcall'`;
  const [row] = await stage.query<{ n: number }>(sql);
  return row?.n ?? 0;
}

/** The faults of a run: all that this machine can inflict, in the order of the seed, again and again. */
export function* schedule<F extends Pick<Fault, 'lacks'>>(
  faults: readonly F[],
  random: Random,
): Generator<F, undefined> {
  const possible = faults.filter((fault) => missing(fault) === undefined);
  while (possible.length > 0) yield* shuffled(random, possible);
}
