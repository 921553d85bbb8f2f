import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { installTools, pythonTool, runTool, workFolder } from '../support/openapi-tools.ts';
import { WEBHOOK_SECRET } from '../support/webhooks.ts';

const ADA = 'ada@example.com';

/** The id of the caller's account, which is seldom guessed. */
const OWN_ID = 1_234_567;

/** How long requests are made up, in seconds. */
const SECONDS = Number(process.env['SCHEMATHESIS_SECONDS'] ?? 30);

/** What they are made up from: with the same seed and enough time, they are the same. */
const SEED = Number(process.env['SCHEMATHESIS_SEED'] ?? 1);

describe('requests that Schemathesis makes up from the OpenAPI document', () => {
  let app: TestApp;

  before(async function () {
    this.timeout(300_000);
    await installTools();
    app = await startApp({
      webhooks: [
        {
          name: 'crm.example.com',
          url: 'http://127.0.0.1:9/hook',
          secrets: [WEBHOOK_SECRET],
          actions: null,
          fields: null,
        },
      ],
    });
    await app.database.query(`alter sequence users_id_seq restart with ${OWN_ID}`);
    await addAccount(app.database, ADA, { role: 'admin' });
    await app.database.query('alter sequence users_id_seq restart with 1');
    for (const name of ['grace', 'alan', 'linus']) await addAccount(app.database, `${name}@example.com`);
  });

  after(() => app.close());

  it('are answered as the document says', async function () {
    this.timeout((SECONDS + 60) * 1_000);
    const cwd = await workFolder('schemathesis');
    for (const name of ['schemathesis.toml', 'schemathesis_hooks.py']) {
      await cp(join(import.meta.dirname, name), join(cwd, name));
    }
    const { code, output } = await runTool(
      pythonTool('schemathesis'),
      [
        '--config-file=schemathesis.toml',
        'run',
        `${app.url}/openapi.json`,
        `--header=Authorization: Bearer ${await signHs256(SECRET, ADA, '1h')}`,
        `--max-time=${SECONDS}`,
        `--seed=${SEED}`,
        '--no-color',
      ],
      { cwd, env: { ROLLCALL_OWN_ID: `${OWN_ID}` }, seconds: SECONDS + 50 },
    );
    if (process.env['SCHEMATHESIS_SHOW']) console.log(output);
    expect(code, output).to.equal(0);
    // It was let in until the end.
    const [ada] = await app.database.query('select role, status from users where email = $1', [ADA]);
    expect(ada).to.deep.equal({ role: 'admin', status: 'active' });
  });
});
