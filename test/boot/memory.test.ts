import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { MAX_NEW_SPACE } from '../../src/boot/memory.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Makes garbage, of which much outlives a first collection, and prints the most that new objects had, and the collections of old ones. */
const WASTEFUL = `
  import { constants, PerformanceObserver } from 'node:perf_hooks';
  import { setImmediate } from 'node:timers/promises';
  import v8 from 'node:v8';
  let collections = 0;
  new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++;
  }).observe({ entryTypes: ['gc'] });
  const kept = new Array(200_000);
  let newSpace = 0;
  for (let round = 0; round < 300; round++) {
    for (let n = 0; n < 30_000; n++) kept[(round * 30_000 + n) % kept.length] = { n, list: [n] };
    await setImmediate();
    for (const { space_name, space_size } of v8.getHeapSpaceStatistics())
      if (space_name === 'new_space') newSpace = Math.max(newSpace, space_size);
  }
  console.log(JSON.stringify({ newSpace, collections }));
`;

describe('the memory of the service', function () {
  this.timeout(120_000);

  const BOUND = `import { boundMemory } from './src/boot/memory.ts'; boundMemory();`;
  const run = (start: string): { newSpace: number; collections: number } => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      // In one thread: how often V8 collects beside the program depends on what else the machine does.
      ['--single-threaded', '--input-type=module', '--eval', start + WASTEFUL],
      { cwd: ROOT, encoding: 'utf8' },
    );
    expect(stderr).to.equal('');
    return JSON.parse(stdout);
  };

  it('is bounded for new objects, and collected more often for old ones than by itself', () => {
    const free = run('');
    const bounded = run(BOUND);
    expect(bounded.newSpace).to.be.at.most(MAX_NEW_SPACE);
    expect(bounded.collections).to.be.greaterThan(free.collections);
  });

  it('is left to V8 for old objects where the heap is small', () => {
    const flags = `
      import v8 from 'node:v8';
      const set = v8.setFlagsFromString;
      v8.setFlagsFromString = (flag) => { console.error(flag); set(flag); };`;
    const flagsOf = (option: string) =>
      spawnSync(process.execPath, [option, '--input-type=module', '--eval', flags + BOUND], {
        cwd: ROOT,
        encoding: 'utf8',
      }).stderr;
    expect(flagsOf('--max-old-space-size=256')).not.to.include('heap-growing-percent');
    expect(flagsOf('--max-old-space-size=1000')).to.include('heap-growing-percent');
  });
});
