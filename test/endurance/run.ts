import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeRunDirectories, removeRunDirectories, runDirectory } from '../support/run-directory.ts';
import { isExcused } from './audit/excuse.ts';
import { missingPrograms } from './cluster/programs.ts';
import { type ClusterStage, openClusterStage } from './cluster/stage.ts';
import { Endurance } from './endurance.ts';
import { CLUSTER_FAULTS, FAULTS, type Fault, missing } from './faults/index.ts';
import { readOptions } from './options.ts';
import { pausesTable } from './pauses.ts';
import { schedule } from './phases.ts';
import { findingsText, rowsOf, tableOf } from './report.ts';
import { openStage, type Stage } from './stage.ts';

/**
 * Runs the service under load while one fault after the other happens to it, and audits what it has kept: `npm run endurance --
 * --help`. Ends with 1 where the audit finds anything.
 */
const options = readOptions();
const entry = resolve(options.dist, 'server.js');
if (!existsSync(entry)) fail(`${entry} is missing: run npm run build first.`);
const lack = options.patroni ? missingPrograms() : undefined;
if (lack !== undefined) fail(`There can be no cluster here: ${lack}.`);
makeRunDirectories();
process.once('exit', removeRunDirectories);
// What has been started ends with this process, and its files go.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const { seed, isLong } = options;
const folder = options.logs ?? join(runDirectory(), `endurance-${process.pid}`);
const startedAt = new Date();
console.log(`seed ${seed}`);
if (options.patroni) {
  const stage = await openClusterStage({ entry, folder, isSynchronous: !options.asynchronous });
  await play(stage, CLUSTER_FAULTS, stage);
} else await play(await openStage({ entry, folder, diskMegabytes: isLong ? 4_096 : 1_024 }), FAULTS);

async function play<S extends Stage>(
  stage: S,
  all: readonly Fault<S>[],
  cluster?: ClusterStage,
): Promise<void> {
  const faults = all.filter(({ name }) => options.faults.includes(name));
  for (const fault of faults) {
    const lack = missing(fault);
    if (lack !== undefined) console.log(`left out: ${fault.name}: ${lack}`);
  }
  const run = await Endurance.begin(stage, {
    seed,
    pauseMs: isLong ? 100 : 20,
    outageSeconds: isLong ? 60 : 10,
    probes: options.patroni,
  });
  try {
    const count = faults.filter((fault) => missing(fault) === undefined).length;
    for (const fault of schedule(faults, run.random)) {
      const isTimeUp = performance.now() > options.seconds * 1_000;
      if (isTimeUp && run.phases.length >= count) break;
      const { name, faultSeconds, recoverySeconds, problems } = await run.endure(fault);
      const told = problems.length > 0 ? `: ${problems.join('; ')}` : '';
      console.log(
        `${name}: ${faultSeconds.toFixed(1)} s, recovered in ${recoverySeconds.toFixed(2)} s${told}`,
      );
    }
    await report(run, cluster);
  } finally {
    await run.close();
  }
}

async function report<S extends Stage>(run: Endurance<S>, cluster?: ClusterStage): Promise<void> {
  const changes = await run.rest();
  const all = await run.audit();
  const isAsynchronous = options.asynchronous;
  const findings = all.filter(
    (each) => !(cluster && isExcused(each, run.phases, { isAsynchronous, unfenced: cluster.unfenced })),
  );
  const rows = rowsOf(run.phases, run.ledger.entries, all);
  const restarts = run.restarts();
  console.log(`\n${tableOf(rows)}\n`);
  if (cluster) {
    const names = run.stage.replicas.map(({ name }) => name);
    console.log(`${pausesTable(run.ledger.entries, run.phases, names)}\n`);
  }
  console.log(
    `${changes} changes in the history; followers that had to begin again: ${JSON.stringify(restarts)}`,
  );
  const excused = all.length - findings.length;
  if (excused > 0) console.log(`${excused} findings that are explained by what a cluster does not promise`);
  console.log(findings.length === 0 ? 'nothing found' : findingsText(findings));
  if (options.json !== undefined) {
    const seconds = performance.now() / 1_000;
    const result = { seed, startedAt, seconds, changes, restarts, faults: rows, findings: all };
    await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
  }
  process.exitCode = findings.length === 0 ? 0 : 1;
}

function fail(message: string): never {
  console.error(message);
  process.exit(64);
}
