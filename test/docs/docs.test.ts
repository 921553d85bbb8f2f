import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { createEmptyDatabase, createMigratedDatabase } from '../support/database.ts';
import { type Checkout, openCheckout, openPackingCheckout, ROOT } from './checkout.ts';
import { comparable } from './comparable.ts';
import { PAGES, read } from './pages.ts';
import { startService } from './service.ts';
import { Shell } from './shell.ts';
import { hasSteps, type Step, stepsOf, withOutputs } from './transcript.ts';

/** Whether to write what the commands print into the pages, instead of comparing: `npm run docs:update`. */
const IS_UPDATE = process.env['UPDATE_DOCS'] === 'true';

/** What the commands of the pages need beside Node.js. */
const TOOLS = ['bash', 'curl', 'jq', 'openssl'];

/** The page that shows how the service starts on a PostgreSQL of its own; the others get a database. */
const EMBEDDED = 'docs/quick-start.md';

/** The page that makes the table of another service itself; the others get a database with the whole schema. */
const ADOPTING = 'docs/adopting.md';

/**
 * The page that needs PostgreSQL's own programs, in the version of the server: the embedded server has none. It runs on a given
 * server, by `npm run test:postgres`.
 */
const BACKUP = 'docs/backup.md';
const hasServer = process.env['TEST_DATABASE_URL'] !== undefined;

/** The pages that pack the package and install from registries: `npm run test:package` runs them. */
const INSTALLING: readonly string[] = ['docs/package.md', 'docs/ten-minutes.md'];
const hasRegistry = process.env['TEST_PACKAGE'] === 'true';

/** The page that needs a Keycloak: `npm run test:keycloak` runs it. */
const KEYCLOAK = 'docs/keycloak.md';
const hasKeycloak = process.env['TEST_KEYCLOAK'] === 'true';

/** Pages that need more than this machine has, unless it does. */
const LEFT_OUT = [
  ...(hasServer ? [] : [BACKUP]),
  ...(hasRegistry ? [] : INSTALLING),
  ...(hasKeycloak ? [] : [KEYCLOAK]),
];

/** A page that calls the service needs one, unless it starts the service itself. */
const CALLS_SERVICE = /http:\/\/127\.0\.0\.1:8000/;
const STARTS_SERVICE = /^(?:npm start|npx node dist\/server\.js|npx rollcall)\b/m;

describe('the documentation', function () {
  this.timeout(hasKeycloak ? 420_000 : 240_000);
  // Its pages wait for things that take a moment, as readers do: on a busy machine, one can take longer than that.
  this.retries(1);
  const missing = TOOLS.filter((tool) => spawnSync(tool, ['--version']).error !== undefined);

  if (missing.length > 0) {
    it('has its commands run where all tools are installed', () => {
      const problem = `The commands of the documentation are not run: install ${missing.join(', ')}.`;
      if (process.env['CI']) throw new Error(problem);
      console.warn(problem);
    });
    return;
  }

  for (const path of PAGES) {
    const page = read(path);
    if (!hasSteps(page) || LEFT_OUT.includes(path)) continue;
    let attempts = 0;
    it(`${path}: its commands print what it shows`, async () => {
      // Or nobody would notice that a page needs it every time.
      if (++attempts > 1) console.warn(`      ${path}: once more`);
      const steps = stepsOf(page);
      const outputs = await outputsOf(path, steps);
      const shown = steps.map(({ output }) => comparable(output));
      const actual = withOutputs(page, steps, outputs.map(comparable));
      const expected = withOutputs(page, steps, shown);
      if (!IS_UPDATE) expect(actual).to.equal(expected);
      // All of them or none, so that a page shows one run.
      else if (actual !== expected) writeFileSync(join(ROOT, path), withOutputs(page, steps, outputs));
    });
  }
});

/** What the commands of a page print, run in one shell, against a service and a database of their own. */
async function outputsOf(path: string, steps: readonly Step[]): Promise<string[]> {
  const cleanups: (() => unknown)[] = [];
  try {
    const checkout = await (INSTALLING.includes(path) ? openPackingCheckout() : openCheckout());
    cleanups.push(() => checkout.remove());
    if (path !== EMBEDDED) {
      const database = await (path === ADOPTING ? createEmptyDatabase() : createMigratedDatabase());
      cleanups.push(() => database.drop());
      checkout.env['DATABASE_URL'] = database.url;
      const restored = Object.assign(new URL(database.url), { pathname: '/rollcall_restored' });
      checkout.env['RESTORED_URL'] = restored.href;
    }
    if (path === KEYCLOAK) {
      const { openGuidedRealm } = await import('../support/keycloak-realm.ts');
      checkout.env['KEYCLOAK_PORT'] = new URL(await openGuidedRealm('main')).port;
    }
    const has = (pattern: RegExp) => steps.some(({ commands }) => pattern.test(commands));
    if (has(CALLS_SERVICE) && !has(STARTS_SERVICE)) {
      cleanups.push(await startService(checkout));
    }
    const shell = new Shell({ cwd: checkout.folder, env: checkout.env });
    cleanups.push(() => shell.close());
    const outputs = await runAll(steps, shell, checkout);
    expect(checkout.leftovers(), 'files that the page leaves behind').to.deep.equal([]);
    return outputs;
  } finally {
    for (const clean of cleanups.reverse()) await clean();
  }
}

async function runAll(steps: readonly Step[], shell: Shell, { documented }: Checkout): Promise<string[]> {
  const outputs: string[] = [];
  for (const { commands } of steps) {
    const { output, isFailed } = await shell.run(commands);
    if (isFailed) throw new Error(`These commands fail:\n${commands}\n\n${output}`);
    // Headers of HTTP end with a carriage return, which a terminal does not show.
    outputs.push(documented(output).replaceAll('\r', '').replace(/\n+$/, ''));
  }
  return outputs;
}
