import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { build } from 'esbuild';
import { Webhook } from 'standardwebhooks';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { openPage, type WatchedPage } from '../support/browser.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { npmEnvironment, pack, run } from '../support/packed.ts';
import { StartedPrograms } from '../support/started-program.ts';
import { until } from '../support/until.ts';
import { WEBHOOK_SECRET } from '../support/webhooks.ts';

/** Deno, and what runs Cloudflare's workers. */
const PACKAGES = ['deno@2.9.6', 'workerd@1.20261117.1'];

/** How long they may take to install, in milliseconds: 220 MB. */
const INSTALL_MS = 150_000;

/** Workers say how old their runtime is to behave: the oldest of which the page of the client tells, and a new one. */
const COMPATIBILITY_DATES = ['2024-01-01', '2026-11-01'];

const ADA = 'ada@example.com';

/** Sends a request to the program that has the client. */
type Ask = (
  path: string,
  init?: { method: string; headers?: Record<string, string>; body: string },
) => Promise<{
  status: number;
  text: string;
}>;

describe('the package, and its client in other runtimes', () => {
  let folder: string;
  let app: TestApp;
  let proxy: FaultyProxy;
  let stage: Server;
  let token: string;
  /** Where the page with the worker is, and where a `POST` to `/cut` cuts off all answers. */
  let origin: string;
  const programs = new StartedPrograms();

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rollcall-runtimes-'));
    cpSync(join(import.meta.dirname, 'programs'), folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}\n');
    const began = performance.now();
    const packed = pack(mkdtempSync(join(folder, 'packed-'))).path;
    run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--omit=optional', packed], {
      cwd: folder,
    });
    run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...PACKAGES], {
      cwd: folder,
      timeout: INSTALL_MS,
    });
    console.log(`      packed and installed in ${((performance.now() - began) / 1000).toFixed(1)} s`);

    stage = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://stage');
      if (pathname === '/cut') proxy.cut();
      if (pathname === '/worker.js')
        response
          .setHeader('content-type', 'text/javascript')
          .end(readFileSync(join(folder, 'out/web-worker.js')));
      else
        response.setHeader('content-type', 'text/html').end('<!doctype html><link rel="icon" href="data:,">');
    }).listen(0, '127.0.0.1');
    await once(stage, 'listening');
    origin = `http://127.0.0.1:${(stage.address() as AddressInfo).port}`;
    app = await startApp({ corsOrigins: [origin] });
    proxy = await startFaultyProxy(app.url);
    await addAccount(app.database, ADA, { role: 'admin' });
    await app.database.query(
      `insert into users (email) select 'listed-' || n || '@example.com' from generate_series(1, 250) n`,
    );
    token = await signHs256(SECRET, ADA, '1h');
  });

  after(async () => {
    programs.kill();
    await proxy?.close();
    stage?.close();
    await app?.close();
    rmSync(folder, { recursive: true });
  });

  /** Bundles a program, as an app's bundler does. */
  const bundle = (name: string) =>
    build({
      absWorkingDir: folder,
      entryPoints: [`${name}.ts`],
      outdir: 'out',
      bundle: true,
      format: 'esm',
      target: 'es2022',
    });

  /** Starts a program that answers on a port. */
  const start = async (program: string, argsFor: (port: number) => string[]): Promise<Ask> => {
    const port = await findFreePort();
    const started = programs.start(program, argsFor(port), { cwd: folder, env: npmEnvironment() });
    await until(`${program} listens`, async () => {
      if (started.lines.some((line) => /error/i.test(line))) throw new Error(started.lines.join('\n'));
      return fetch(`http://127.0.0.1:${port}/hook`).then(
        () => true,
        () => false,
      );
    });
    return async (path, init) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        ...init,
        signal: AbortSignal.timeout(60_000),
      });
      return { status: answer.status, text: await answer.text() };
    };
  };

  /** What the same story comes to, wherever it is told. */
  const expectStory = async (name: string, ask: Ask) => {
    const body = JSON.stringify({ url: proxy.url, token, name, cutUrl: `${origin}/cut` });
    const { text } = await ask('/story', { method: 'POST', body });
    expect(text).to.match(/^\{/);
    const { states, ...said } = JSON.parse(text);
    expect(said).to.deep.equal({
      listed: 250,
      stale: 'precondition_failed',
      repeated: 'Grace Hopper',
      visits: 3,
      taken: 'email_taken',
      nowhere: true,
      aborted: 'enough',
      imported: 1,
      exported: 1,
      preferences: ['saved', { theme: 'dark' }],
      seen: ['first', 'second', 'third'],
      resumed: ['second', 'third'],
    });
    expect(states.slice(0, 3)).to.deep.equal(['open', 'lost', 'open']);
    expect(proxy.seen.some(({ headers }) => headers['last-event-id'] !== undefined)).to.equal(true);
  };

  /** A webhook that the package of Standard Webhooks has signed is taken, and one that was changed is not. */
  const expectWebhooks = async (ask: Ask) => {
    const body = JSON.stringify({
      type: 'account.deleted',
      timestamp: '2026-01-31T12:00:00Z',
      data: { userId: 7 },
    });
    const now = new Date();
    const headers = {
      'webhook-id': 'change_1',
      'webhook-timestamp': `${Math.floor(now.getTime() / 1000)}`,
      'webhook-signature': new Webhook(WEBHOOK_SECRET).sign('change_1', now, body),
    };
    const path = `/hook?secret=${encodeURIComponent(WEBHOOK_SECRET)}`;
    expect(await ask(path, { method: 'POST', headers, body })).to.deep.equal({
      status: 200,
      text: 'account.deleted',
    });
    const forged = await ask(path, { method: 'POST', headers, body: body.replace('7', '8') });
    expect(forged).to.deep.equal({ status: 401, text: 'signature_invalid' });
  };

  /** Requests at once, with one client whose first token is refused. */
  const expectShared = async (ask: Ask) => {
    const query = new URLSearchParams({ service: app.url, token });
    const asked = await Promise.all(Array.from({ length: 8 }, () => ask(`/shared?${query}`)));
    expect(asked).to.deep.equal(asked.map(() => ({ status: 200, text: ADA })));
  };

  it('works in Node.js', async () => {
    const ask = await start('node', (port) => ['node.ts', `${port}`]);
    await expectStory('node', ask);
    await expectWebhooks(ask);
    await expectShared(ask);
  });

  it('works in Deno, with types that Deno checks', async () => {
    const deno = (...args: string[]) => ['--no-install', 'deno', ...args];
    run('npx', deno('check', 'deno.ts'), { cwd: folder });
    const ask = await start('npx', (port) => deno('run', '--no-prompt', '--allow-net', 'deno.ts', `${port}`));
    await expectStory('deno', ask);
    await expectWebhooks(ask);
    await expectShared(ask);
  });

  for (const date of COMPATIBILITY_DATES) {
    it(`works in Cloudflare's workers of ${date}`, async () => {
      await bundle('workerd');
      const ask = await start('npx', (port) => {
        writeFileSync(join(folder, 'workerd.capnp'), workerdConfig(port, date));
        return ['--no-install', 'workerd', 'serve', 'workerd.capnp'];
      });
      await expectStory(`workerd-${date}`, ask);
      await expectWebhooks(ask);
      await expectShared(ask);
    });
  }

  it("works in a browser's worker, from another origin", async () => {
    await bundle('web-worker');
    const watched: WatchedPage = await openPage();
    try {
      await watched.page.goto(origin);
      const ask: Ask = async (path, init) => {
        // As text: the types of a browser are not those of this project.
        const message = JSON.stringify([new URL(path, origin).href, init]);
        const [status = 0, text = ''] = await watched.page.evaluate<[number, string]>(`
          new Promise((resolve, reject) => {
            const worker = new Worker('/worker.js', { type: 'module' });
            worker.onmessage = ({ data }) => resolve(data);
            worker.onerror = ({ message }) => reject(new Error(message));
            worker.postMessage(${message});
          })
        `);
        return { status, text };
      };
      await expectStory('web-worker', ask);
      await expectWebhooks(ask);
    } finally {
      await watched.close();
    }
  });
});

/** A worker that answers on a port, and may reach the service on this machine. */
function workerdConfig(port: number, date: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "out/workerd.js")],
  compatibilityDate = "${date}",
);
`;
}
