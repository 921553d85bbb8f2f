import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { until } from '../../support/until.ts';
import { ask, isRunning, postmasterOf } from './stage.ts';
import { asEveryone } from './story.ts';

asEveryone('the embedded database', (stage) => {
  it('makes a cluster at the first start, stops with its only user, and keeps the data', async () => {
    const { directory } = stage();
    await stage().removeCluster();
    const first = await stage().holder();
    const opened = await first.open(directory);
    expect(opened.origin).to.equal('started');
    await ask(opened.url, 'create table kept as select 42 as answer');
    const pid = (await postmasterOf(directory)) as number;
    const group = execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)]).toString();
    expect(Number(group), 'a process group of its own, which Ctrl-C does not reach').to.equal(pid);
    await first.release();
    expect(await isRunning(pid), 'the server still runs').to.equal(false);
    expect(await postmasterOf(directory), 'postmaster.pid is still there').to.equal(undefined);

    const second = await stage().holder();
    const reopened = await second.open(directory);
    expect(reopened.origin).to.equal('started');
    expect(await ask(reopened.url, 'select answer from kept')).to.deep.equal([{ answer: 42 }]);
    await second.release();
    expect(await stage().leftovers()).to.deep.equal([]);
  });

  it('serves four processes that open an empty folder at once with one server', async () => {
    const { directory } = stage();
    await stage().removeCluster();
    const holders = await Promise.all([1, 2, 3, 4].map(() => stage().holder()));
    const opened = await Promise.all(holders.map((holder) => holder.open(directory)));
    expect(new Set(opened.map(({ url }) => url)).size, 'one URL').to.equal(1);
    expect(opened.filter(({ origin }) => origin === 'started')).to.have.length(1);
    const pid = (await postmasterOf(directory)) as number;
    await Promise.all(holders.map((holder) => holder.release()));
    expect(await isRunning(pid)).to.equal(false);
    expect(await stage().leftovers()).to.deep.equal([]);
  });

  it('goes on for the second when the first, who started it, leaves', async () => {
    const { directory } = stage();
    const [first, second] = [await stage().holder(), await stage().holder()];
    const { url, port } = await first.open(directory);
    expect(await second.open(directory)).to.deep.equal({ origin: 'adopted', url, port });
    const pid = (await postmasterOf(directory)) as number;
    await first.release();
    first.process.kill('SIGTERM');
    await first.ended;
    expect(await ask(url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
    expect(await postmasterOf(directory)).to.equal(pid);
    await second.release();
    expect(await isRunning(pid)).to.equal(false);
  });

  it('may be released twice', async () => {
    const holder = await stage().holder();
    await holder.open(stage().directory);
    await Promise.all([holder.release(), holder.release()]);
    await holder.release();
  });

  it('serves those who come while others leave', async () => {
    const { directory } = stage();
    const holders = await Promise.all([1, 2, 3].map(() => stage().holder()));
    const rounds = 6;
    await Promise.all(
      holders.map(async (holder) => {
        for (let round = 0; round < rounds; round++) {
          const { url } = await holder.open(directory);
          await until('an answer', () => ask(url, 'select 1').catch(() => undefined));
          await holder.release();
        }
      }),
    );
    expect(await postmasterOf(directory)).to.equal(undefined);
    expect(await stage().leftovers()).to.deep.equal([]);
  });

  it('does not keep a process alive that has nothing left to do', async () => {
    const { directory } = stage();
    const holder = await stage().holder();
    await holder.open(directory);
    void holder.order({ do: 'finish' }).catch(() => {});
    await holder.ended;
    expect(holder.process.exitCode).to.equal(0);
  });

  it('gives up in time, saying why', async () => {
    const { directory } = stage();
    const [first, second] = [await stage().holder(), await stage().holder()];
    await first.open(directory);
    const pid = (await postmasterOf(directory)) as number;
    process.kill(pid, 'SIGSTOP');
    try {
      const error = await second.open(directory, { timeoutMs: 300 }).then(
        () => undefined,
        (e: Error) => e,
      );
      expect(error?.message)
        .to.match(/gave up after 300 ms: ./)
        .and.include(directory);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await first.release();
  });
});
