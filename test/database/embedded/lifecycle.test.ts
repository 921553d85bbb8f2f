import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { until } from '../../support/until.ts';
import { describeForUsers } from './describe-for-users.ts';
import { isRunning, query, readPostmasterPid } from './fixture.ts';

describeForUsers('the embedded database', (fixture) => {
  it('creates a cluster at the first start, stops with its only holder, and keeps the data', async () => {
    const { directory } = fixture();
    await fixture().removeCluster();
    const first = await fixture().startHolder();
    const opened = await first.open(directory);
    expect(opened.origin).to.equal('started');
    await query(opened.url, 'create table kept as select 42 as answer');
    const pid = (await readPostmasterPid(directory)) as number;
    const group = execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)]).toString();
    expect(Number(group), 'its own process group, which Ctrl-C does not reach').to.equal(pid);
    await first.release();
    expect(await isRunning(pid), 'the server still runs').to.equal(false);
    expect(await readPostmasterPid(directory), 'postmaster.pid is still there').to.equal(undefined);

    const second = await fixture().startHolder();
    const reopened = await second.open(directory);
    expect(reopened.origin).to.equal('started');
    expect(await query(reopened.url, 'select answer from kept')).to.deep.equal([{ answer: 42 }]);
    await second.release();
    expect(await fixture().listLeftovers()).to.deep.equal([]);
  });

  it('serves four processes that open an empty folder at once from one server', async () => {
    const { directory } = fixture();
    await fixture().removeCluster();
    const holders = await Promise.all([1, 2, 3, 4].map(() => fixture().startHolder()));
    const opened = await Promise.all(holders.map((holder) => holder.open(directory)));
    expect(new Set(opened.map(({ url }) => url)).size, 'one URL').to.equal(1);
    expect(opened.filter(({ origin }) => origin === 'started')).to.have.length(1);
    const pid = (await readPostmasterPid(directory)) as number;
    await Promise.all(holders.map((holder) => holder.release()));
    expect(await isRunning(pid)).to.equal(false);
    expect(await fixture().listLeftovers()).to.deep.equal([]);
  });

  it('keeps running for the second holder when the first, which started it, releases it', async () => {
    const { directory } = fixture();
    const [first, second] = [await fixture().startHolder(), await fixture().startHolder()];
    const { url, port } = await first.open(directory);
    expect(await second.open(directory)).to.deep.equal({ origin: 'adopted', url, port });
    const pid = (await readPostmasterPid(directory)) as number;
    await first.release();
    first.process.kill('SIGTERM');
    await first.ended;
    expect(await query(url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
    expect(await readPostmasterPid(directory)).to.equal(pid);
    await second.release();
    expect(await isRunning(pid)).to.equal(false);
  });

  it('may be released twice', async () => {
    const holder = await fixture().startHolder();
    await holder.open(fixture().directory);
    await Promise.all([holder.release(), holder.release()]);
    await holder.release();
  });

  it('serves new holders while others release it', async () => {
    const { directory } = fixture();
    const holders = await Promise.all([1, 2, 3].map(() => fixture().startHolder()));
    const rounds = 6;
    await Promise.all(
      holders.map(async (holder) => {
        for (let round = 0; round < rounds; round++) {
          const { url } = await holder.open(directory);
          await until('a response', () => query(url, 'select 1').catch(() => undefined));
          await holder.release();
        }
      }),
    );
    expect(await readPostmasterPid(directory)).to.equal(undefined);
    expect(await fixture().listLeftovers()).to.deep.equal([]);
  });

  it('does not keep an idle process alive', async () => {
    const { directory } = fixture();
    const holder = await fixture().startHolder();
    await holder.open(directory);
    void holder.send({ do: 'finish' }).catch(() => {});
    await holder.ended;
    expect(holder.process.exitCode).to.equal(0);
  });

  it('times out with the reason', async () => {
    const { directory } = fixture();
    const [first, second] = [await fixture().startHolder(), await fixture().startHolder()];
    await first.open(directory);
    const pid = (await readPostmasterPid(directory)) as number;
    process.kill(pid, 'SIGSTOP');
    try {
      const error = await second.open(directory, { timeoutMs: 300 }).then(
        () => undefined,
        (e: Error) => e,
      );
      expect(error?.message)
        .to.match(/timeout after 300 ms: ./)
        .and.include(directory);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await first.release();
  });
});
