import { expect } from 'chai';
import { ask, isRunning, postmasterOf } from './stage.ts';
import { asEveryone } from './story.ts';

asEveryone('releaseOnExit', (stage) => {
  it('has stopped the server when a process that called process.exit() is gone', async () => {
    const { directory } = stage();
    const holder = await stage().holder();
    await holder.open(directory);
    await holder.order({ do: 'releaseOnExit' });
    const pid = (await postmasterOf(directory)) as number;
    void holder.order({ do: 'exit' }).catch(() => {});
    await holder.ended;
    expect(holder.process.exitCode).to.equal(0);
    expect(await isRunning(pid)).to.equal(false);
    expect(await postmasterOf(directory)).to.equal(undefined);
  });

  it('leaves the server to its other users', async () => {
    const { directory } = stage();
    const [holder, other] = [await stage().holder(), await stage().holder()];
    await holder.open(directory);
    const { url } = await other.open(directory);
    await holder.order({ do: 'releaseOnExit' });
    void holder.order({ do: 'exit' }).catch(() => {});
    await holder.ended;
    expect(await ask(url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
    expect(other.logged.filter((line) => /went away/.test(line))).to.deep.equal([]);
    const pid = (await postmasterOf(directory)) as number;
    await other.release();
    expect(await isRunning(pid)).to.equal(false);
  });

  it('does nothing after release()', async () => {
    const { directory } = stage();
    const [holder, other] = [await stage().holder(), await stage().holder()];
    await holder.open(directory);
    await holder.order({ do: 'releaseOnExit' });
    await holder.release();
    await other.open(directory);
    const pid = (await postmasterOf(directory)) as number;
    void holder.order({ do: 'exit' }).catch(() => {});
    await holder.ended;
    expect(await isRunning(pid)).to.equal(true);
    await other.release();
  });
});
