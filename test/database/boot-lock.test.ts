import type { EntityManager } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { underBootLock } from '../../src/database/boot-lock.ts';
import { BOOT } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { Unit } from '../../src/store/unit.ts';
import { testStore } from '../support/store.ts';

describe('the boot lock', () => {
  const store = testStore({ poolMax: 20 });

  const options = (patience = 20_000) => ({
    deadline: Date.now() + patience,
    signal: new AbortController().signal,
    onWait: () => undefined,
  });
  const holders = () =>
    store.database.query(
      `select pid from pg_locks join pg_database d on d.oid = database
        where locktype = 'advisory' and granted and datname = current_database()`,
    );

  const invite = (em: EntityManager) => {
    new Unit(em, { author: BOOT });
    return em.persist(new User('ada@example.com'));
  };

  it('admits one process at a time, and every process in the end', async () => {
    let inside = 0;
    let most = 0;
    const visits = Array.from({ length: 8 }, () =>
      underBootLock(store.orm, options(), async (em) => {
        most = Math.max(most, ++inside);
        await em.execute('select pg_sleep(0.02)');
        inside--;
      }),
    );
    await Promise.all(visits);
    expect(most).to.equal(1);
    expect(await holders()).to.deep.equal([]);
  });

  it('commits the work and returns its result', async () => {
    const email = await underBootLock(store.orm, options(), async (em) => {
      invite(em);
      return 'done';
    });
    expect(email).to.equal('done');
    expect(await store.database.query('select email from users')).to.deep.equal([
      { email: 'ada@example.com' },
    ]);
  });

  it('leaves neither a lock nor partial work when the work fails', async () => {
    const failure = await underBootLock(store.orm, options(), async (em) => {
      await invite(em).flush();
      throw new Error('half way');
    }).catch((error: Error) => error.message);
    expect(failure).to.equal('half way');
    expect(await store.database.query('select email from users')).to.deep.equal([]);
    expect(await holders()).to.deep.equal([]);
  });

  it('repeats the work from the start when its connection breaks', async () => {
    let attempts = 0;
    await underBootLock(store.orm, options(), async (em) => {
      await invite(em).flush();
      if (++attempts === 1) {
        const [own] = await em.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
        await store.database.query('select pg_terminate_backend($1)', [own?.pid]);
        await em.execute('select 1');
      }
    });
    expect(attempts).to.equal(2);
    expect(await store.database.query('select email from users')).to.deep.equal([
      { email: 'ada@example.com' },
    ]);
  });

  it('gives up at the deadline and names the holder', async () => {
    const failure = await underBootLock(store.orm, options(), () =>
      underBootLock(store.orm, options(1_000), async () => 'never').catch((error: Error) => error.message),
    );
    expect(failure).to.match(/Another process holds the boot lock/);
  });

  it('stops waiting when the signal aborts', async () => {
    const stop = new AbortController();
    const outcome = await underBootLock(store.orm, options(), async () => {
      const waiting = underBootLock(
        store.orm,
        { ...options(), signal: stop.signal, onWait: () => stop.abort(new Error('told to stop')) },
        async () => 'never',
      );
      return waiting.catch((error: Error) => error.message);
    });
    expect(outcome).to.equal('told to stop');
  });
});
