import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, readdir, readFile, rename, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { until } from '../../support/until.ts';
import { describeForUsers } from './describe-for-users.ts';
import { type Fixture, isRunning, query, readPostmasterPid } from './fixture.ts';

/** Kills the server, as the kernel does when memory runs out. */
async function killServer(directory: string): Promise<number> {
  const pid = (await readPostmasterPid(directory)) as number;
  process.kill(pid, 'SIGKILL');
  await until('the server is dead', async () => !(await isRunning(pid)));
  return pid;
}

/** Writes one row, then kills the server and its only holder. Returns the port of the dead server. */
async function crash({ directory, startHolder }: Fixture): Promise<number> {
  const holder = await startHolder();
  const { url, port } = await holder.open(directory);
  await query(url, 'create table kept as select 42 as answer');
  await holder.kill();
  await killServer(directory);
  return port;
}

/** Opens the database, finds the row, releases, and leaves nothing over. Returns the port. */
async function expectRecovery({ directory, startHolder, listLeftovers }: Fixture): Promise<number> {
  const next = await startHolder();
  const { origin, url, port } = await next.open(directory);
  expect(origin).to.equal('started');
  expect(await query(url, 'select answer from kept')).to.deep.equal([{ answer: 42 }]);
  await next.release();
  expect(await readPostmasterPid(directory)).to.equal(undefined);
  expect(await listLeftovers()).to.deep.equal([]);
  return port;
}

describeForUsers('the embedded database after a crash', (fixture) => {
  it('adopts the server of a holder killed by kill -9, and stops it with the last release', async () => {
    const { directory, startHolder } = fixture();
    const killed = await startHolder();
    const { url, port } = await killed.open(directory);
    await query(url, 'create table kept as select 42 as answer');
    const pid = (await readPostmasterPid(directory)) as number;
    await killed.kill();

    const next = await startHolder();
    expect(await next.open(directory)).to.deep.equal({ origin: 'adopted', url, port });
    expect(await readPostmasterPid(directory)).to.equal(pid);
    expect(await query(url, 'select answer from kept')).to.deep.equal([{ answer: 42 }]);
    await next.release();
    expect(await isRunning(pid)).to.equal(false);
  });

  it('restores a server killed in use on the same port, without losing committed data', async () => {
    const { directory, startHolder } = fixture();
    const holders = [await startHolder(), await startHolder()] as const;
    const [{ url }] = await Promise.all([holders[0].open(directory), holders[1].open(directory)]);
    await query(url, 'create table rows (n integer primary key)');

    const committed: number[] = [];
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n++) {
        await query(url, 'insert into rows values ($1)', [n]).then(
          () => committed.push(n),
          () => {},
        );
      }
    })();
    for (let kills = 1; kills <= 3; kills++) {
      const target = committed.length + 10;
      await until('the writer writes', () => committed.length >= target);
      await killServer(directory);
      for (const { logged } of holders) {
        await until(
          'its holder has restored it',
          () => logged.filter((line) => /PostgreSQL restored/.test(line)).length === kills,
        );
      }
    }
    const target = committed.length + 10;
    await until('the writer writes again', () => committed.length >= target);
    writing = false;
    await writer;

    const found = new Set((await query(url, 'select n from rows')).map(({ n }) => n));
    expect(committed.filter((n) => !found.has(n))).to.deep.equal([]);
    const pid = (await readPostmasterPid(directory)) as number;
    await holders[0].release();
    expect(await isRunning(pid), 'still runs for its second holder').to.equal(true);
    await holders[1].release();
    expect(await isRunning(pid)).to.equal(false);
  });

  it('recovers when only one process of the server is killed', async () => {
    const { directory, startHolder } = fixture();
    const holder = await startHolder();
    const { url } = await holder.open(directory);
    const sql = `select pid from pg_stat_activity where application_name = 'rollcall lease'`;
    const [row] = await query(url, sql);
    process.kill(row?.['pid'] as number, 'SIGKILL');
    await until('the lease is restored', () =>
      holder.logged.some((line) => /PostgreSQL restored/.test(line)),
    );
    expect(await query(url, sql), 'leases').to.have.length(1);
    const pid = (await readPostmasterPid(directory)) as number;
    await holder.release();
    expect(await isRunning(pid)).to.equal(false);
  });

  it('leaves no server running if released right after the server was killed', async () => {
    const { directory, startHolder } = fixture();
    const holder = await startHolder();
    await holder.open(directory);
    process.kill((await readPostmasterPid(directory)) as number, 'SIGKILL');
    await holder.release();
    const pid = await readPostmasterPid(directory);
    expect(pid !== undefined && (await isRunning(pid)), 'a server runs').to.equal(false);
    expect(holder.logged.filter((line) => /PostgreSQL not restored/.test(line))).to.deep.equal([]);
  });

  it('logs an error and gives up if it cannot be restored', async () => {
    const { directory, startHolder } = fixture();
    const holder = await startHolder();
    await holder.open(directory);
    holder.process.kill('SIGSTOP'); // so that it notices nothing before the cluster is gone
    await killServer(directory);
    await rename(join(directory, 'cluster'), join(directory, 'elsewhere'));
    holder.process.kill('SIGCONT');
    await until('it gave up', () => holder.logged.some((line) => /PostgreSQL not restored/.test(line)));
    await holder.release();
  });

  it('waits for a query that outlives its server, without a second server in parallel', async () => {
    const { directory, startHolder } = fixture();
    // Started before, because the query ends by itself.
    const next = await startHolder();
    const killed = await startHolder();
    const { url } = await killed.open(directory);
    await query(url, `alter database rollcall set statement_timeout = '5s'`);
    // CPU work only: a backend that waits for anything notices at once that its server is dead.
    const running = query(url, 'select count(*) from pg_proc a, pg_proc b, pg_proc c').catch(() => {});
    await until('the query runs', async () => {
      return (await query(url, `select from pg_stat_activity where query like '%pg_proc c'`)).length === 1;
    });
    await killed.kill();
    await killServer(directory);
    const startedAt = performance.now();
    await next.open(directory);
    expect(performance.now() - startedAt).to.be.greaterThan(1000);
    await running;
    await next.release();
  });

  it('recovers on the old port after kill -9 of server and holder', async () => {
    const port = await crash(fixture());
    expect(await expectRecovery(fixture())).to.equal(port);
  });

  it('uses another port if the old one is taken', async () => {
    const port = await crash(fixture());
    // The kernel may free the port of a dead process a moment later than its memory.
    const blocker = await until('the port is free', async () => {
      const server = createServer().listen(port, '127.0.0.1');
      return once(server, 'listening').then(
        () => server,
        () => undefined,
      );
    });
    try {
      expect(await expectRecovery(fixture())).not.to.equal(port);
    } finally {
      blocker.close();
    }
  });

  it('starts although another program has reused the pid in the lock file', async () => {
    const { directory } = fixture();
    await crash(fixture());
    const owner = await stat(join(directory, 'cluster/data'));
    // As the user that runs the server: PostgreSQL itself ignores the processes of other users.
    const program = fixture().spawn('sleep', ['60'], { uid: owner.uid, gid: owner.gid });
    const lock = join(directory, 'cluster/data/postmaster.pid');
    const [, ...rest] = (await readFile(lock, 'utf8')).split('\n');
    await writeFile(lock, [program.pid, ...rest].join('\n'));
    await expectRecovery(fixture());
    expect(program.exitCode ?? program.signalCode, 'the other program was killed').to.equal(null);
  });

  it('starts although the lock file is empty', async () => {
    const { directory } = fixture();
    await crash(fixture());
    const lock = join(directory, 'cluster/data/postmaster.pid');
    await truncate(lock);
    await expectRecovery(fixture());
    await writeFile(lock, '');
    const owner = await stat(join(directory, 'cluster/data'));
    await chown(lock, owner.uid, owner.gid);
    await utimes(lock, 0, 0); // as if created long ago
    await expectRecovery(fixture());
  });

  it('starts again after a kill -9 during initdb, and removes the remains', async () => {
    const { directory, startHolder, listLeftovers } = fixture();
    await fixture().removeCluster();
    const killed = await startHolder();
    void killed.open(directory).catch(() => {});
    const draft = await until('initdb is running', async () => {
      const [name] = (await readdir(directory).catch(() => [])).filter((entry) =>
        entry.startsWith('cluster.new-'),
      );
      const created = name && (await readdir(join(directory, name, 'data')).catch(() => []));
      return created && created.length > 5 && name;
    });
    const children = execFileSync('ps', ['-A', '-o', 'pid=,ppid=']).toString().trim().split('\n');
    const initdb = children
      .map((line) => line.trim().split(/\s+/).map(Number))
      .find(([, parent]) => parent === killed.process.pid);
    await killed.kill();
    process.kill(initdb?.[0] as number, 'SIGKILL');
    expect(await readdir(directory)).to.deep.equal([draft]);

    const next = await startHolder();
    const { url } = await next.open(directory);
    expect(await query(url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
    await next.release();
    await until('nothing is left over', async () => {
      const another = await startHolder();
      await another.open(directory);
      await another.release();
      return (await listLeftovers()).length === 0;
    });
  });
});
