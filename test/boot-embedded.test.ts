import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { type ServerProcess, startServer } from './support/server-process.ts';
import { until } from './support/until.ts';

describe('a start with the embedded database', function () {
  this.timeout(120_000);

  let folder: string;
  let servers: ServerProcess[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rollcall-boot-'));
    servers = [];
  });

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.end('SIGTERM')));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const start = (env: NodeJS.ProcessEnv = {}) => {
    const server = startServer({ DATA_DIR: folder, ...env }, 'src/server.ts');
    servers.push(server);
    return server;
  };
  const lockFile = () => join(folder, 'postgres/cluster/data/postmaster.pid');

  it('ends at once on a signal while it creates the database, and leaves nothing that runs', async () => {
    const server = start();
    await until('initdb', async () => {
      const found = await readdir(join(folder, 'postgres')).catch(() => []);
      return found.length > 0;
    });
    expect(await server.end('SIGTERM')).to.equal(0);
    expect(server.lines.filter(({ level }) => (level as number) >= 50)).to.deep.equal([]);
    expect(existsSync(lockFile())).to.equal(false);
    await start().ready();
  });

  it('ends at once on a signal while the server of another process recovers', async () => {
    await start().ready();
    const ready = await readFile(lockFile(), 'utf8');
    // What PostgreSQL writes there until it has recovered.
    await writeFile(lockFile(), ready.replace(/^ready/m, 'starting'));
    const waiting = start({ METRICS_PORT: '0' });
    // What it does before it asks for the database.
    await waiting.said('serving metrics');
    await pause(1_000);
    expect(waiting.child.exitCode).to.equal(null);
    expect(await waiting.end('SIGTERM')).to.equal(0);
    expect(waiting.lines.filter(({ level }) => (level as number) >= 50)).to.deep.equal([]);
    await writeFile(lockFile(), ready);
  });
});
