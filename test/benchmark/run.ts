import { writeFile } from 'node:fs/promises';
import { exportJWK } from 'jose';
import { serveKeys } from '../support/key-server.ts';
import { makeRunDirectories, removeRunDirectories } from '../support/run-directory.ts';
import { type Case, casesWith } from './cases.ts';
import { contendersOf, startRollcall } from './contenders.ts';
import { fill, startDatabase } from './database.ts';
import { generator } from './load.ts';
import { type Figures, measure } from './measure.ts';
import { readOptions } from './options.ts';
import { OTHER_CASES } from './other-cases.ts';
import { KEY } from './people.ts';
import { HEADING, LEGEND, lineOf } from './report.ts';
import { isUrl } from './running.ts';
import { verify } from './verify.ts';

/**
 * Measures Rollcall and a bare server (`bare.ts`) on the same PostgreSQL: `npm run build && npm run benchmark -- --help`. Compare
 * the ratios and the processor time: the other numbers depend on the machine.
 */
makeRunDirectories();
process.once('exit', removeRunDirectories);
const keys = await serveKeys({
  keys: [{ ...(await exportJWK(KEY.publicKey)), kid: 'benchmark', alg: 'ES256', use: 'sig' }],
});
const cases = casesWith(keys.url);
const others = [...Object.keys(cases), ...Object.keys(OTHER_CASES)].filter((name) => name !== 'create');
// Last: it adds accounts, which the others would find.
const options = readOptions([...others, 'create']);
const { accounts, changes, names, json, against, rounds } = options;
const database = await startDatabase();
const results: Record<string, unknown> = {};
try {
  for (const url of [database.url, database.bareUrl]) {
    // The first boot migrates.
    await (await startRollcall(url)).stop();
    await fill(url, accounts, changes);
  }
  console.log(
    `${accounts} accounts with ${accounts * (1 + changes)} entries in the history, load by ${generator.name}\n${LEGEND}`,
  );
  const alone = names.filter((name) => name === 'boot' || cases[name]?.env !== undefined);
  if (against && isUrl(against) && alone.length > 0)
    console.log(`Without ${against}, which cannot be started with other settings: ${alone.join(', ')}.`);
  let isInTable = false;
  for (const name of names) {
    if (name in cases && !isInTable) console.log(`\n${HEADING}`);
    isInTable = name in cases;
    results[name] = await figuresOf(name);
    // Now: a later case may fail.
    await save();
  }
  console.log(`\n${verify(database.url)}`);
} finally {
  await database.remove();
  await keys.close();
}

async function figuresOf(name: string): Promise<readonly object[] | undefined> {
  const one = cases[name];
  return one ? compare(one) : OTHER_CASES[name]?.({ database, options, writes: cases['patch'] as Case });
}

async function compare(one: Case): Promise<Figures[]> {
  const contenders = await contendersOf(one, database, against, accounts);
  try {
    const figures = await measure(one, contenders, database.clock, { accounts, rounds });
    for (const each of figures) console.log(lineOf(one.title, each, figures));
    return figures;
  } finally {
    for (const contender of contenders) await contender.stop();
  }
}

async function save(): Promise<void> {
  if (json !== undefined) await writeFile(json, JSON.stringify({ accounts, changes, results }, null, 2));
}
