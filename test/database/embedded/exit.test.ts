import { expect } from 'chai';
import { until } from '../../support/until.ts';
import { describeForUsers } from './describe-for-users.ts';
import { isRunning, query, readPostmasterPid } from './fixture.ts';

describeForUsers('releaseOnExit', (fixture) => {
  it('stops the server before a process that called process.exit() is gone', async () => {
    const { directory } = fixture();
    const holder = await fixture().startHolder();
    await holder.open(directory);
    await holder.send({ do: 'releaseOnExit' });
    const pid = (await readPostmasterPid(directory)) as number;
    void holder.send({ do: 'exit' }).catch(() => {});
    await holder.ended;
    expect(holder.process.exitCode).to.equal(0);
    expect(await isRunning(pid)).to.equal(false);
    expect(await readPostmasterPid(directory)).to.equal(undefined);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`stops the server before a process that ${signal} ends is gone`, async () => {
      const { directory } = fixture();
      const holder = await fixture().startHolder();
      await holder.open(directory);
      await holder.send({ do: 'releaseOnExit' });
      const pid = (await readPostmasterPid(directory)) as number;
      holder.process.kill(signal);
      await holder.ended;
      expect(holder.process.signalCode).to.equal(signal);
      expect(await isRunning(pid)).to.equal(false);
    });
  }

  it('leaves the end to a program that handles the signal itself', async () => {
    const { directory } = fixture();
    const holder = await fixture().startHolder();
    const { url } = await holder.open(directory);
    await holder.send({ do: 'releaseOnExit' });
    await holder.send({ do: 'listen' });
    holder.process.kill('SIGTERM');
    await until('the signal', () => holder.logged.includes('told to end'));
    expect(await query(url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
    const pid = (await readPostmasterPid(directory)) as number;
    void holder.send({ do: 'exit' }).catch(() => {});
    await holder.ended;
    expect(await isRunning(pid)).to.equal(false);
  });

  it('keeps the server running for other holders', async () => {
    const { directory } = fixture();
    const [holder, other] = [await fixture().startHolder(), await fixture().startHolder()];
    await holder.open(directory);
    const { url } = await other.open(directory);
    await holder.send({ do: 'releaseOnExit' });
    void holder.send({ do: 'exit' }).catch(() => {});
    await holder.ended;
    expect(await query(url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
    expect(other.logged.filter((line) => /PostgreSQL lost/.test(line))).to.deep.equal([]);
    const pid = (await readPostmasterPid(directory)) as number;
    await other.release();
    expect(await isRunning(pid)).to.equal(false);
  });

  it('does nothing after release()', async () => {
    const { directory } = fixture();
    const [holder, other] = [await fixture().startHolder(), await fixture().startHolder()];
    await holder.open(directory);
    await holder.send({ do: 'releaseOnExit' });
    await holder.release();
    await other.open(directory);
    const pid = (await readPostmasterPid(directory)) as number;
    void holder.send({ do: 'exit' }).catch(() => {});
    await holder.ended;
    expect(await isRunning(pid)).to.equal(true);
    await other.release();
  });
});
