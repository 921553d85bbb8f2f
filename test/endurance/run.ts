import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { makeRunDirectories, removeRunDirectories } from '../support/run-directory.ts';
import { Endurance } from './endurance.ts';
import { missing } from './faults/index.ts';
import { readOptions } from './options.ts';
import { schedule } from './phases.ts';
import { findingsText, rowsOf, tableOf } from './report.ts';

/**
 * Runs the service under load while one fault after the other happens to it, and audits what it has kept: `npm run endurance --
 * --help`. Ends with 1 where the audit finds anything.
 */
const options = readOptions();
const entry = resolve(options.dist, 'server.js');
if (!existsSync(entry)) {
  console.error(`${entry} is missing: run npm run build first.`);
  process.exit(64);
}
makeRunDirectories();
process.once('exit', removeRunDirectories);
// What has been started ends with this process, and its files go.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const { seed, faults, seconds, isLong, json, logs } = options;
console.log(`seed ${seed}`);
for (const fault of faults) {
  const lack = missing(fault);
  if (lack !== undefined) console.log(`left out: ${fault.name}: ${lack}`);
}
const startedAt = new Date();
const run = await Endurance.begin({
  seed,
  entry,
  logs,
  pauseMs: isLong ? 100 : 20,
  outageSeconds: isLong ? 60 : 10,
  diskMegabytes: isLong ? 4_096 : 1_024,
});
try {
  const count = faults.filter((fault) => missing(fault) === undefined).length;
  for (const fault of schedule(faults, run.random)) {
    const isTimeUp = performance.now() > seconds * 1_000;
    if (isTimeUp && run.phases.length >= count) break;
    const { name, faultSeconds, recoverySeconds, problems } = await run.endure(fault);
    const told = problems.length > 0 ? `: ${problems.join('; ')}` : '';
    console.log(`${name}: ${faultSeconds.toFixed(1)} s, recovered in ${recoverySeconds.toFixed(2)} s${told}`);
  }
  const changes = await run.rest();
  const findings = await run.audit();
  const rows = rowsOf(run.phases, run.ledger.entries, findings);
  const restarts = run.restarts();
  console.log(`\n${tableOf(rows)}\n`);
  console.log(
    `${changes} changes in the history; followers that had to begin again: ${JSON.stringify(restarts)}`,
  );
  console.log(findings.length === 0 ? 'nothing found' : findingsText(findings));
  if (json !== undefined) {
    const result = {
      seed,
      startedAt,
      seconds: performance.now() / 1_000,
      changes,
      restarts,
      faults: rows,
      findings,
    };
    await writeFile(json, `${JSON.stringify(result, null, 2)}\n`);
  }
  process.exitCode = findings.length === 0 ? 0 : 1;
} finally {
  await run.close();
}
