import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SECRET } from './support/app.ts';
import { createEmptyDatabase, createMigratedDatabase } from './support/database.ts';
import { programEnvironment } from './support/programs.ts';
import { startServer } from './support/server-process.ts';
import { until } from './support/until.ts';

const ROOT = join(import.meta.dirname, '..');
const OUT = 'node_modules/.cache/rollcall-build';

describe('the build', function () {
  this.timeout(300_000);

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

  it('starts with nothing that only some requests need', () => {
    const texts = new Map<string, string>();
    const load = (name: string) => {
      if (texts.has(name)) return;
      const text = readFileSync(join(ROOT, OUT, name), 'utf8');
      texts.set(name, text);
      for (const [, imported = ''] of text.matchAll(/\bfrom ?"\.\/([^"]+)"/g)) load(imported);
    };
    // What the program imports dynamically itself.
    for (const name of readdirSync(join(ROOT, OUT)).filter((name) => /^server.*\.js$/.test(name))) load(name);
    const loaded = [...texts.values()].join('\n');
    expect(loaded).to.include('cannot start');
    for (const late of [
      'ZOD_OPENAPI',
      'SwaggerClient',
      'addUsedSchema',
      'PG_VERSION',
      'MigrationRunner',
      'nodejs_eventloop_lag',
    ])
      expect(loaded, late).not.to.include(late);
    // Of which an import would load more than the whole bundle.
    expect(loaded).not.to.match(/from ?"(node:)?http"/);
  });

  it('keeps compiled code beside itself, and starts where it cannot', async () => {
    const database = await createMigratedDatabase();
    const cache = join(ROOT, OUT, '.compile-cache');
    const env = { ENVIRONMENT: 'production', HOST: '127.0.0.1', DATABASE_URL: database.url };
    const start = async () => {
      const server = startServer({ ...env, NODE_COMPILE_CACHE: undefined }, `${OUT}/server.js`);
      const address = await server.ready();
      expect((await fetch(`${address}/readyz`)).status).to.equal(200);
      expect(await server.end('SIGTERM')).to.equal(0);
    };
    rmSync(cache, { recursive: true, force: true });
    await start();
    expect(readdirSync(cache, { recursive: true }).length).to.be.greaterThan(5);
    expect(statSync(cache).mode & 0o777).to.equal(0o700);
    // A folder in which others may write is not read.
    rmSync(cache, { recursive: true });
    mkdirSync(cache);
    chmodSync(cache, 0o777);
    await start();
    expect(readdirSync(cache)).to.deep.equal([]);
    // Nor is the private folder of another account, which root could read.
    if (process.getuid?.() === 0) {
      chmodSync(cache, 0o700);
      chownSync(cache, 65_534, 65_534);
      await start();
      expect(readdirSync(cache)).to.deep.equal([]);
    }
    // Like a folder that may not be written, also for root.
    rmSync(cache, { recursive: true });
    writeFileSync(cache, '');
    await start();
    expect(readFileSync(cache, 'utf8')).to.equal('');
    rmSync(cache);
    await database.drop();
  });

  it('is all that a server needs, and uses its compiled code wherever it is moved', async () => {
    const database = await createMigratedDatabase();
    const env = { ENVIRONMENT: 'production', HOST: '127.0.0.1', DATABASE_URL: database.url };
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-build-'));
    const visit = async (place: string) => {
      const server = startServer({ ...env, NODE_COMPILE_CACHE: undefined }, join(place, 'server.js'), place);
      const address = await server.ready();
      for (const path of [
        '/docs',
        '/docs/docs.css',
        '/docs/docs.js',
        '/docs/icon.svg',
        '/docs/swagger-ui.css',
        '/docs/swagger-ui-bundle.js',
        '/openapi.json',
      ])
        expect((await fetch(address + path)).status, path).to.equal(200);
      expect(await server.end('SIGTERM')).to.equal(0);
      expect(server.output.filter((line) => line !== '')).to.deep.equal([]);
      const cache = join(place, '.compile-cache');
      return readdirSync(cache, { recursive: true, encoding: 'utf8' }).sort();
    };
    cpSync(join(ROOT, OUT), join(folder, 'first'), { recursive: true });
    const compiled = await visit(join(folder, 'first'));
    expect(compiled).to.have.length.greaterThan(5);
    renameSync(join(folder, 'first'), join(folder, 'moved'));
    expect(await visit(join(folder, 'moved'))).to.deep.equal(compiled);
    rmSync(folder, { recursive: true });
    await database.drop();
  });

  it('says in its metrics of which commit it is', async () => {
    const database = await createMigratedDatabase();
    const env = {
      ENVIRONMENT: 'production',
      HOST: '127.0.0.1',
      DATABASE_URL: database.url,
      METRICS_PORT: '0',
    };
    const server = startServer(env, `${OUT}/server.js`);
    const { address } = await server.said('serving metrics');
    await server.ready();
    const text = await (await fetch(`${address}/metrics`)).text();
    const git = spawnSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: ROOT, encoding: 'utf8' });
    expect(/^rollcall_build_info\{version="[\d.]+",commit="(.*?)(?:-dirty)?",/m.exec(text)?.[1]).to.equal(
      git.stdout.trim(),
    );
    expect(await server.end('SIGTERM')).to.equal(0);
    await database.drop();
  });

  it('has the log for people in it, wherever it is', async () => {
    const database = await createMigratedDatabase();
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-build-'));
    cpSync(join(ROOT, OUT), folder, { recursive: true });
    const env = { ENVIRONMENT: 'production', HOST: '127.0.0.1', DATABASE_URL: database.url };
    const server = startServer({ ...env, LOG_FORMAT: 'pretty' }, join(folder, 'server.js'), folder);
    await until('ready', () => server.output.some((line) => /INFO.*ready/.test(line)));
    expect(await server.end('SIGTERM')).to.equal(0);
    expect(server.lines).to.deep.equal([]);
    rmSync(folder, { recursive: true });
    await database.drop();
  });

  it('describes its API as soon as it can, after it could not', async () => {
    const database = await createMigratedDatabase();
    const env = { ENVIRONMENT: 'production', HOST: '127.0.0.1', DATABASE_URL: database.url };
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-build-'));
    cpSync(join(ROOT, OUT), folder, { recursive: true });
    const [module = ''] = readdirSync(folder).filter((name) => /^document-.*\.js$/.test(name));
    const server = startServer(env, join(folder, 'server.js'), folder);
    const address = await server.ready();
    renameSync(join(folder, module), join(folder, 'away'));
    expect((await fetch(`${address}/openapi.json`)).status).to.equal(500);
    renameSync(join(folder, 'away'), join(folder, module));
    expect((await fetch(`${address}/openapi.json`)).status).to.equal(200);
    expect(await server.end('SIGTERM')).to.equal(0);
    rmSync(folder, { recursive: true });
    await database.drop();
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
