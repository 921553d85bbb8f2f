import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { SECRET } from './support/app.ts';
import { createEmptyDatabase } from './support/database.ts';
import { programEnvironment } from './support/programs.ts';
import { startServer } from './support/server-process.ts';

const ROOT = join(import.meta.dirname, '..');
const OUT = 'node_modules/.cache/rollcall-build';

describe('the build', function () {
  this.timeout(60_000);

  before(() => {
    // Not into dist/, which may be in use.
    const env = { ...process.env, OUT };
    const { status, stderr } = spawnSync('npm', ['run', 'build'], { cwd: ROOT, env, encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
  });

  it('has every migration', () => {
    const names = (folder: string) =>
      readdirSync(join(ROOT, folder)).filter((name) => /^Migration.*\.[jt]s$/.test(name));
    expect(names(`${OUT}/migrations`)).to.deep.equal(
      names('migrations').map((name) => name.replace(/ts$/, 'js')),
    );
  });

  it('serves in production, migrations included', async () => {
    const database = await createEmptyDatabase();
    const env = {
      ENVIRONMENT: 'production',
      HOST: '127.0.0.1',
      DATABASE_URL: database.url,
      INITIAL_ADMINS: 'ada@example.com',
    };
    const server = startServer(env, `${OUT}/server.js`);
    const address = await server.ready();
    expect((await fetch(`${address}/readyz`)).status).to.equal(200);
    expect(await database.query('select email, role from users')).to.deep.equal([
      { email: 'ada@example.com', role: 'admin' },
    ]);
    expect(await server.end('SIGTERM')).to.equal(0);
    await database.drop();
  });

  it('has the command line, migrations included', async () => {
    const database = await createEmptyDatabase();
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [`${OUT}/accounts.js`, ...args], {
        cwd: ROOT,
        env: {
          ...programEnvironment(),
          ENVIRONMENT: 'production',
          AUTH_SECRET: SECRET,
          DATABASE_URL: database.url,
        },
        encoding: 'utf8',
      });
    const early = run('list');
    expect([early.status, early.stdout]).to.deep.equal([69, '']);
    const adopt = run('adopt');
    expect([adopt.status, adopt.stdout]).to.deep.equal([
      0,
      'There is no table users; the first start creates it.\n',
    ]);
    const server = startServer(
      { ENVIRONMENT: 'production', HOST: '127.0.0.1', DATABASE_URL: database.url },
      `${OUT}/server.js`,
    );
    await server.ready();
    const invited = run('invite', 'grace@example.com', '--json');
    expect([invited.status, invited.stderr]).to.deep.equal([0, '']);
    expect(JSON.parse(invited.stdout)).to.include({ email: 'grace@example.com', role: 'user' });
    expect(await server.end('SIGTERM')).to.equal(0);
    await database.drop();
  });

  it('requires in production the settings without a default', async () => {
    const server = startServer({ ENVIRONMENT: 'production', AUTH_SECRET: undefined }, `${OUT}/server.js`);
    expect(await server.ended()).to.equal(78);
    expect(server.output.join('\n')).to.include('DATABASE_URL').and.to.include('AUTH_SECRET');
  });
});
