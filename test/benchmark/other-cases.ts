import { boots } from './boot.ts';
import type { Case } from './cases.ts';
import { buildsOf, contendersOf, startRollcall, UNLIMITED } from './contenders.ts';
import type { BenchmarkServer } from './database.ts';
import { feedFigures } from './feed.ts';
import type { Options } from './options.ts';
import { overloads } from './overload.ts';
import { bootLine, feedLine, overloadLine, slowCommitsLine, transferLine } from './report.ts';
import { isUrl, joinRunning } from './running.ts';
import { slowCommits } from './slow-commits.ts';
import { transfers } from './transfer.ts';
import { verify } from './verify.ts';

/** A run of the benchmark. */
export interface Run {
  readonly database: BenchmarkServer;
  readonly options: Options;
  /** The writes that the feed is measured with. */
  readonly writes: Case;
}

/** The cases that are more than requests of one kind, by name. Each prints its figures and returns them. */
export const OTHER_CASES: Readonly<Record<string, (run: Run) => Promise<readonly object[]>>> = {
  async feed({ database, options: { against, accounts, rounds }, writes }) {
    const found = [];
    const contenders = await contendersOf({}, database, against, accounts);
    try {
      for (const contender of contenders) {
        const load = await writes.load({ ...rounds, accounts, url: contender.url });
        found.push(...(await feedFigures(contender, database.clock, load, rounds)));
      }
    } finally {
      for (const contender of contenders) await contender.stop();
    }
    for (const each of found) console.log(feedLine(each));
    return found;
  },

  async overload({ database, options: { against, accounts, rounds } }) {
    const found = [];
    const contenders = await contendersOf({}, database, against, accounts);
    try {
      for (const contender of contenders) found.push(...(await overloads(contender, rounds)));
    } finally {
      for (const contender of contenders) await contender.stop();
    }
    for (const each of found) console.log(overloadLine(each));
    return found;
  },

  async transfer({ database, options: { against, accounts } }) {
    const found = [];
    for (const build of buildsOf(against)) {
      // Each build imports the same into the same.
      const copy = await database.copy();
      const contender = await startRollcall(copy.url, UNLIMITED, build);
      try {
        found.push(...(await transfers(contender, database.clock, accounts)));
      } finally {
        await contender.stop();
      }
      verify(copy.url);
      await copy.drop();
    }
    if (against && isUrl(against))
      found.push(...(await transfers(await joinRunning(against, accounts), database.clock, accounts)));
    for (const each of found) console.log(transferLine(each));
    return found;
  },

  async 'slow-commits'({ options: { against, rounds }, writes }) {
    const found = await slowCommits(buildsOf(against), writes, rounds);
    for (const each of found) console.log(slowCommitsLine(each));
    return found;
  },

  async boot({ database, options: { against } }) {
    const found = await boots(database.url, buildsOf(against));
    for (const each of found) console.log(bootLine(each));
    return found;
  },
};
