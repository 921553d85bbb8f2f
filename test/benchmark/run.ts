import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { exportJWK } from 'jose';
import { serveKeys } from '../support/key-server.ts';
import { makeRunDirectories, removeRunDirectories } from '../support/run-directory.ts';
import { coldBoots, warmBoot } from './boot.ts';
import { type Case, casesWith } from './cases.ts';
import { type Contender, contendersOf, startRollcall } from './contenders.ts';
import { fill, startDatabase } from './database.ts';
import { feedFigures } from './feed.ts';
import { generator } from './load.ts';
import { measure } from './measure.ts';
import { readOptions } from './options.ts';
import { KEY } from './people.ts';
import { feedLine, HEADING, LEGEND, lineOf, transferLine } from './report.ts';
import { transfers } from './transfer.ts';

/**
 * Measures Rollcall and a bare server (`bare.ts`) on the same PostgreSQL: `npm run build && npm run benchmark -- --help`. Compare
 * the ratios and the processor time: the other numbers depend on the machine.
 */
makeRunDirectories();
const keys = await serveKeys({
  keys: [{ ...(await exportJWK(KEY.publicKey)), kid: 'benchmark', alg: 'ES256', use: 'sig' }],
});
const cases = casesWith(keys.url);
const { accounts, changes, names, json, against, rounds } = readOptions([
  ...Object.keys(cases),
  'transfer',
  'feed',
  'boot',
]);
const database = await startDatabase();
const results: Record<string, unknown> = {};
try {
  for (const url of [database.url, database.bareUrl]) {
    // The first boot migrates.
    await (await startRollcall(url)).stop();
    await fill(url, accounts, changes);
  }
  console.log(
    `${accounts} accounts with ${accounts * (1 + changes)} entries in the history, load by ${generator.name}\n${LEGEND}\n\n${HEADING}`,
  );
  for (const name of names) {
    const one = cases[name];
    if (one === undefined) continue;
    const contenders = await contendersOf(one, database, against, accounts);
    try {
      const figures = await measure(one, contenders, database.clock, { accounts, rounds });
      results[name] = figures;
      for (const each of figures) console.log(lineOf(one.title, each, figures));
    } finally {
      for (const contender of contenders) await contender.stop();
    }
  }
  const onItsOwn = async (work: (contender: Contender) => Promise<void>) => {
    const contender = await startRollcall(database.url);
    await work(contender).finally(() => contender.stop());
  };
  if (names.includes('transfer'))
    await onItsOwn(async (contender) => {
      const found = await transfers(contender, database.clock, accounts);
      results['transfer'] = found;
      for (const each of found) console.log(transferLine(each));
    });
  if (names.includes('feed'))
    await onItsOwn(async (contender) => {
      const load = await (cases['patch'] as Case).load({
        ...rounds,
        accounts,
        url: contender.url,
      });
      const found = await feedFigures(contender, database.clock, load, rounds.seconds);
      results['feed'] = found;
      for (const each of found) console.log(feedLine(each));
    });
  if (names.includes('boot')) {
    const boots = { warm: await warmBoot(database.url), ...(await coldBoots()) };
    results['boot'] = boots;
    const ms = Object.fromEntries(Object.entries(boots).map(([kind, time]) => [kind, Math.round(time)]));
    console.log(
      `\nfirst answer after a start: ${ms['warm']} ms; on an empty database: ${ms['alone']} ms; of eight at once: ${ms['eight']} ms`,
    );
  }
  console.log(`\n${verify(database.url)}`);
  if (json !== undefined) await writeFile(json, JSON.stringify({ accounts, changes, results }, null, 2));
} finally {
  await database.remove();
  await keys.close();
  removeRunDirectories();
}

/** Replays the history of every account: it must give the accounts. Throws where it does not. */
function verify(url: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/accounts.js', 'verify'], {
    env: { ...process.env, ENVIRONMENT: 'test', DATABASE_URL: url },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`The history does not give the accounts:\n${stdout}${stderr}`);
  return stdout.trim();
}
