import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, readdir, readFile, rename, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { until } from '../../support/until.ts';
import { ask, isRunning, postmasterOf, type Stage } from './stage.ts';
import { asEveryone } from './story.ts';

/** Kills the server, as the kernel does when memory is short. */
async function killServer(directory: string): Promise<number> {
  const pid = (await postmasterOf(directory)) as number;
  process.kill(pid, 'SIGKILL');
  await until('the server is dead', async () => !(await isRunning(pid)));
  return pid;
}

/**
 * Leaves a cluster whose server and only user were killed, with one row in it; gives the dead server's port.
 */
async function wreck({ directory, holder }: Stage): Promise<number> {
  const victim = await holder();
  const { url, port } = await victim.open(directory);
  await ask(url, 'create table kept as select 42 as answer');
  await victim.kill();
  await killServer(directory);
  return port;
}

/** Opens, finds the row, leaves; and nothing is left over. Gives the port. */
async function expectRecovery({ directory, holder, leftovers }: Stage): Promise<number> {
  const next = await holder();
  const { origin, url, port } = await next.open(directory);
  expect(origin).to.equal('started');
  expect(await ask(url, 'select answer from kept')).to.deep.equal([{ answer: 42 }]);
  await next.release();
  expect(await postmasterOf(directory)).to.equal(undefined);
  expect(await leftovers()).to.deep.equal([]);
  return port;
}

asEveryone('the embedded database after a crash', (stage) => {
  it('adopts the server of a user killed -9, and stops it when the last one leaves', async () => {
    const { directory, holder } = stage();
    const victim = await holder();
    const { url, port } = await victim.open(directory);
    await ask(url, 'create table kept as select 42 as answer');
    const pid = (await postmasterOf(directory)) as number;
    await victim.kill();

    const heir = await holder();
    expect(await heir.open(directory)).to.deep.equal({ origin: 'adopted', url, port });
    expect(await postmasterOf(directory)).to.equal(pid);
    expect(await ask(url, 'select answer from kept')).to.deep.equal([{ answer: 42 }]);
    await heir.release();
    expect(await isRunning(pid)).to.equal(false);
  });

  it('brings a server killed -9 in use back on the same port, with nothing committed lost', async () => {
    const { directory, holder } = stage();
    const users = [await holder(), await holder()] as const;
    const [{ url }] = await Promise.all([users[0].open(directory), users[1].open(directory)]);
    await ask(url, 'create table rows (n integer primary key)');

    const committed: number[] = [];
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n++) {
        await ask(url, 'insert into rows values ($1)', [n]).then(
          () => committed.push(n),
          () => {},
        );
      }
    })();
    for (let kills = 1; kills <= 3; kills++) {
      const target = committed.length + 10;
      await until('the writer writes', () => committed.length >= target);
      await killServer(directory);
      for (const user of users) {
        await until(
          'its user has it back',
          () => user.logged.filter((line) => /is back/.test(line)).length === kills,
        );
      }
    }
    const target = committed.length + 10;
    await until('the writer writes again', () => committed.length >= target);
    writing = false;
    await writer;

    const found = new Set((await ask(url, 'select n from rows')).map(({ n }) => n));
    expect(committed.filter((n) => !found.has(n))).to.deep.equal([]);
    const pid = (await postmasterOf(directory)) as number;
    await users[0].release();
    expect(await isRunning(pid), 'stopped under its second user').to.equal(true);
    await users[1].release();
    expect(await isRunning(pid)).to.equal(false);
  });

  it('comes back when but one process of the server is killed', async () => {
    const { directory, holder } = stage();
    const user = await holder();
    const { url } = await user.open(directory);
    const sql = `select pid from pg_stat_activity where application_name = 'rollcall lease'`;
    const [row] = await ask(url, sql);
    process.kill(row?.['pid'] as number, 'SIGKILL');
    await until('the lease is back', () => user.logged.some((line) => /is back/.test(line)));
    expect(await ask(url, sql), 'leases').to.have.length(1);
    const pid = (await postmasterOf(directory)) as number;
    await user.release();
    expect(await isRunning(pid)).to.equal(false);
  });

  it('leaves nothing running when released right after the server was killed', async () => {
    const { directory, holder } = stage();
    const user = await holder();
    await user.open(directory);
    process.kill((await postmasterOf(directory)) as number, 'SIGKILL');
    await user.release();
    const pid = await postmasterOf(directory);
    expect(pid !== undefined && (await isRunning(pid)), 'a server runs').to.equal(false);
    expect(user.logged.filter((line) => /is lost/.test(line))).to.deep.equal([]);
  });

  it('gives up, and says so, when it cannot come back', async () => {
    const { directory, holder } = stage();
    const user = await holder();
    await user.open(directory);
    user.process.kill('SIGSTOP'); // until all is as bad as it is to be
    await killServer(directory);
    await rename(join(directory, 'cluster'), join(directory, 'elsewhere'));
    user.process.kill('SIGCONT');
    await until('it gave up', () => user.logged.some((line) => /is lost/.test(line)));
    await user.release();
  });

  it('waits for a query that outlives its server, and never runs a second server beside it', async () => {
    const { directory, holder } = stage();
    const victim = await holder();
    const { url } = await victim.open(directory);
    await ask(url, `alter database rollcall set statement_timeout = '2s'`);
    // On the processor alone: a backend that waits for anything notices at once that its server is dead.
    const query = ask(url, 'select count(*) from pg_proc a, pg_proc b, pg_proc c').catch(() => {});
    await until('the query runs', async () => {
      return (await ask(url, `select from pg_stat_activity where query like '%pg_proc c'`)).length === 1;
    });
    await victim.kill();
    await killServer(directory);
    const next = await holder();
    const began = performance.now();
    await next.open(directory);
    expect(performance.now() - began).to.be.greaterThan(1000);
    await query;
    await next.release();
  });

  it('recovers when both were killed -9, on the old port', async () => {
    const port = await wreck(stage());
    expect(await expectRecovery(stage())).to.equal(port);
  });

  it('takes another port when somebody sits on the old one', async () => {
    const port = await wreck(stage());
    // Not at once, perhaps: the kernel lets go of a dead process's port a little after its memory.
    const squatter = await until('the port is free', async () => {
      const server = createServer().listen(port, '127.0.0.1');
      return once(server, 'listening').then(
        () => server,
        () => undefined,
      );
    });
    try {
      expect(await expectRecovery(stage())).not.to.equal(port);
    } finally {
      squatter.close();
    }
  });

  it('is not fooled by a lock file whose pid another program has by now', async () => {
    const { directory } = stage();
    await wreck(stage());
    const owner = await stat(join(directory, 'cluster/data'));
    // As the account that runs the server: of others' processes
    // PostgreSQL knows itself that they are none of it.
    const stranger = stage().spawn('sleep', ['60'], { uid: owner.uid, gid: owner.gid });
    const lock = join(directory, 'cluster/data/postmaster.pid');
    const [, ...rest] = (await readFile(lock, 'utf8')).split('\n');
    await writeFile(lock, [stranger.pid, ...rest].join('\n'));
    await expectRecovery(stage());
    expect(stranger.exitCode ?? stranger.signalCode, 'the stranger was harmed').to.equal(null);
  });

  it('is not stopped by a lock file that was never written', async () => {
    const { directory } = stage();
    await wreck(stage());
    const lock = join(directory, 'cluster/data/postmaster.pid');
    await truncate(lock);
    await expectRecovery(stage());
    await writeFile(lock, '');
    const owner = await stat(join(directory, 'cluster/data'));
    await chown(lock, owner.uid, owner.gid);
    await utimes(lock, 0, 0); // as if left long ago
    await expectRecovery(stage());
  });

  it('starts anew when it was killed -9 in the middle of initdb, and clears the remains away', async () => {
    const { directory, holder, leftovers } = stage();
    await stage().removeCluster();
    const victim = await holder();
    void victim.open(directory).catch(() => {});
    const draft = await until('initdb is at work', async () => {
      const [name] = (await readdir(directory).catch(() => [])).filter((entry) =>
        entry.startsWith('cluster.new-'),
      );
      const made = name && (await readdir(join(directory, name, 'data')).catch(() => []));
      return made && made.length > 5 && name;
    });
    const children = execFileSync('ps', ['-A', '-o', 'pid=,ppid=']).toString().trim().split('\n');
    const initdb = children
      .map((line) => line.trim().split(/\s+/).map(Number))
      .find(([, parent]) => parent === victim.process.pid);
    await victim.kill();
    process.kill(initdb?.[0] as number, 'SIGKILL');
    expect(await readdir(directory)).to.deep.equal([draft]);

    const next = await holder();
    const { url } = await next.open(directory);
    expect(await ask(url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
    await next.release();
    await until('nothing is left over', async () => {
      const another = await holder();
      await another.open(directory);
      await another.release();
      return (await leftovers()).length === 0;
    });
  });
});
