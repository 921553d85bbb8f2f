import { setTimeout as pause } from 'node:timers/promises';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import pg from 'pg';
import { ormOptions } from '../../../mikro-orm.config.ts';
import { openStore, type Store } from '../../../src/boot/open-store.ts';
import { migrateUnderLock } from '../../../src/database/migrate.ts';
import type { Sight } from '../../../src/store/feed-epoch.ts';
import type { Reader } from '../../../src/store/replicas/reader.ts';
import { runAlone } from '../../../src/store/statements.ts';
import { pauseReplay, resumeReplay, urlOf } from '../../support/read-replicas.ts';
import { type Pair, startPair } from '../../support/replication.ts';
import { until } from '../../support/until.ts';

const POOL_MAX = 4;

describe('reading from a replica', function () {
  this.timeout(120_000);

  const limits = { poolMax: POOL_MAX, connectTimeoutMs: 3_000, statementTimeoutMs: 10_000 };
  let pair: Pair;
  let store: Store;
  let used = 0;
  const unmarked: string[] = [];

  before(async () => {
    pair = await startPair();
    const database = { ...limits, url: urlOf(pair.primary) };
    const orm = await MikroORM.init({ ...ormOptions(database), logger: () => undefined });
    await migrateUnderLock(
      orm,
      { deadline: Date.now() + 30_000, signal: new AbortController().signal, onWait: () => undefined },
      async () => undefined,
    );
    await orm.close(true);
    store = await openStore({
      database,
      mode: 'direct',
      replicas: { urls: [urlOf(pair.standby)], maxLagMs: 600_000 },
    });
    store.replicas?.start({
      onLeftOut: () => undefined,
      onEpoch: () => undefined,
      onNoBookmark: (reason) => unmarked.push(reason),
      onUsed: () => {
        used++;
      },
    });
    await until('the replica', () => used > 0);
  });

  after(async () => {
    await store.close();
    await pair.remove();
  });

  afterEach(async () => {
    await resumeReplay(pair.standby);
    await pair.caughtUp();
  });

  const readerOf = (bookmark?: Sight): Reader => {
    if (store.replicas === undefined) throw new Error('There are no replicas.');
    return store.replicas.readerFor(store.orm.em.fork(), { name: 'account:1', bookmark });
  };
  /** The port of the server that answers, and how many accounts it shows, after `seconds`. */
  const ask = (reader: Reader, seconds = 0) =>
    reader.read(async (em) => {
      const [row] = await runAlone<{ port: number; count: number }>(em, {
        text: `select inet_server_port() as port, count(*)::int as count
                 from users left join (select pg_sleep(${seconds})) as slept on true`,
        values: [],
      });
      return row;
    });
  /** The port of the server that answers. */
  const portOf = async (em: EntityManager) =>
    (await runAlone<{ port: number }>(em, { text: 'select inet_server_port() as port', values: [] }))[0]
      ?.port;
  /** How many statements sleep on the replica for `seconds`, and so have their snapshots. */
  const sleeping = async (seconds: number) =>
    (
      await pair.standby.query(
        `select from pg_stat_activity where query like '%pg_sleep(${seconds})%' and wait_event = 'PgSleep'`,
      )
    ).length;
  const add = (email: string) => pair.primary.query(`insert into users (email) values ('${email}')`);

  it('waits a moment for the replica to catch up with a bookmark, and then asks the primary', async () => {
    const { port } = pair.standby;
    expect(await ask(readerOf())).to.deep.equal({ port, count: 0 });
    await pauseReplay(pair.standby);
    await add('first@example.com');
    const bookmark = await store.replicas?.noteAnswer('account:2', undefined);
    expect(bookmark?.epoch).to.match(/^[0-9a-f]{12}$/);
    expect(await ask(readerOf())).to.deep.equal({ port, count: 0 });
    expect(await ask(readerOf(bookmark))).to.deep.equal({ port: pair.primary.port, count: 1 });

    const isServedThere = async () => {
      await pauseReplay(pair.standby);
      await pair.primary.query('delete from users');
      await add('again@example.com');
      const later = await store.replicas?.noteAnswer('account:2', undefined);
      const asked = ask(readerOf(later));
      await pause(20);
      await resumeReplay(pair.standby);
      return (await asked)?.port === port;
    };
    // By chance the machine is slower than that.
    await until('an answer of the replica', isServedThere);
  });

  it('marks an answer with all that is committed, also where several ask at once', async () => {
    const marked = async () => (await store.replicas?.noteAnswer('account:2', undefined))?.lsn;
    const early = Array.from({ length: 5 }, marked);
    await add('between@example.com');
    const [{ lsn } = { lsn: '' }] = await pair.primary.query<{ lsn: string }>(
      "select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text as lsn",
    );
    const late = await Promise.all(Array.from({ length: 5 }, marked));
    await Promise.all(early);
    for (const mark of late) expect(Number(mark)).to.be.at.least(Number(lsn));
    await pair.primary.query('delete from users');
  });

  it('lets no answer wait for its bookmark where no connection is free, and says so once', async () => {
    const sleep = () => runAlone(store.orm.em, { text: 'select pg_sleep(2)', values: [] });
    let isBusy = true;
    const busy = Promise.all(Array.from({ length: POOL_MAX }, sleep)).finally(() => {
      isBusy = false;
    });
    await pair.caughtUp();
    const mark = (caller: string) => store.replicas?.noteAnswer(caller, undefined);
    expect(await Promise.all(['account:3', 'account:4'].map(mark))).to.deep.equal([undefined, undefined]);
    expect(await mark('account:3')).to.equal(undefined);
    expect(isBusy).to.equal(true);
    expect(unmarked).to.deep.equal(['the primary has not said within 250 ms where its log is']);
    await busy;
    const portFor = async (name: string) =>
      (await ask(store.replicas?.readerFor(store.orm.em.fork(), { name, bookmark: undefined }) as Reader))
        ?.port;
    expect(await portFor('account:3')).to.equal(pair.primary.port);
    expect(await portFor('account:5')).to.equal(pair.standby.port);
    await until('a bookmark', async () => (await mark('account:3')) !== undefined);
  });

  it('waits for a bookmark that stands at the head of a segment only until the log before it is there', async () => {
    const mark = () => store.replicas?.noteAnswer('account:2', undefined);
    const isServedThere = async () => {
      await pair.primary.query('select pg_switch_wal()');
      const bookmark = await mark();
      await pair.caughtUp();
      const asked = bookmark && (await ask(readerOf(bookmark)));
      // Once anything is written behind it, the replica gets further.
      const isLast = bookmark?.lsn === (await mark())?.lsn;
      return isLast && BigInt(bookmark?.lsn ?? 0) % 8192n === 40n && asked?.port === pair.standby.port;
    };
    await until('an answer of the replica', isServedThere);
  });

  it('knows the lag of a replica, and waits for it, also where the primary is written to all the time', async () => {
    await pair.standby.query("alter system set recovery_min_apply_delay = '40ms'");
    await pair.standby.query('select pg_reload_conf()');
    let isOver = false;
    const write = async () => {
      while (!isOver) {
        await add('busy@example.com');
        await pair.primary.query('delete from users');
      }
    };
    const writing = write();
    try {
      const lags = new Set<number>();
      await until('five checks', () => {
        const lagMs = store.replicas?.standings()[0]?.lagMs ?? Number.POSITIVE_INFINITY;
        // Otherwise it is the time between two checks.
        if (lagMs < 900) lags.add(lagMs);
        else lags.clear();
        return lags.size >= 5;
      });
      await until('an answer of the replica', async () => {
        const bookmark = await store.replicas?.noteAnswer('account:2', undefined);
        return (await ask(readerOf(bookmark)))?.port === pair.standby.port;
      });
      const whole = () => readerOf().read(portOf, { isWhole: true });
      await until('a whole answer of the replica', async () => (await whole()) === pair.standby.port);
    } finally {
      isOver = true;
      await writing;
      await pair.standby.query('alter system reset recovery_min_apply_delay');
      await pair.standby.query('select pg_reload_conf()');
    }
  });

  it('goes elsewhere while reads wait for the replica, and does not leave it out', async () => {
    const { port } = pair.standby;
    const sleep = () =>
      readerOf().read(async (em) => {
        const text = 'select inet_server_port() as port, pg_sleep(5)';
        return (await runAlone<{ port: number }>(em, { text, values: [] }))[0]?.port;
      });
    await until('the replica', async () => (await ask(readerOf()))?.port === port);
    const busy = Array.from({ length: POOL_MAX }, sleep);
    await until('the reads', async () => (await sleeping(5)) === POOL_MAX);
    const waiting = readerOf().read(portOf);
    await until('the primary', async () => (await ask(readerOf()))?.port === pair.primary.port);
    expect(store.replicas?.standings()[0]).to.include({ isUsed: true });
    // It has waited for as long as a connection may take.
    expect(await waiting).to.equal(pair.primary.port);
    expect(store.replicas?.standings()[0]).to.include({ isUsed: true });
    expect(await Promise.all(busy)).to.deep.equal(busy.map(() => port));
    expect((await ask(readerOf()))?.port).to.equal(port);
    expect(used).to.equal(1);
  });

  it('goes to the primary while the server of the replica accepts no more connections', async () => {
    const { port } = pair.standby;
    await until('the replica', async () => (await ask(readerOf()))?.port === port);
    // The pool opens them anew.
    await pair.standby.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rollcall'",
    );
    const others: pg.Client[] = [];
    try {
      for (let isFull = false; !isFull; ) {
        const client = new pg.Client({ connectionString: urlOf(pair.standby) });
        client.on('error', () => undefined);
        await client.connect().then(
          () => others.push(client),
          ({ code }) => {
            expect(code).to.equal('53300');
            isFull = true;
          },
        );
      }
      expect((await ask(readerOf()))?.port).to.equal(pair.primary.port);
      expect(store.replicas?.standings()[0]).to.include({ isUsed: true });
    } finally {
      await Promise.all(others.map((client) => client.end()));
    }
    await until('the replica', async () => (await ask(readerOf()))?.port === port);
  });

  it('has no connection once it is closed, whatever it does at the time', async () => {
    const connections = async () =>
      Promise.all(
        [pair.primary, pair.standby].map((server) =>
          server.query("select from pg_stat_activity where application_name like 'rollcall replica%'"),
        ),
      );
    const before = (await connections()).map(({ length }) => length);
    expect(before.every((count) => count > 0)).to.equal(true);
    for (let n = 0; n < 10; n++) {
      const other = await openStore({
        database: { ...limits, url: urlOf(pair.primary) },
        mode: 'direct',
        replicas: { urls: [urlOf(pair.standby)], maxLagMs: 600_000 },
      });
      other.replicas?.start({
        onLeftOut: () => undefined,
        onEpoch: () => undefined,
        onNoBookmark: () => undefined,
        onUsed: () => undefined,
      });
      await pause(n * 6);
      await other.close();
    }
    // Longer than what lies between two checks.
    await pause(1_500);
    expect((await connections()).map(({ length }) => length)).to.deep.equal(before);
  });

  it('begins again on the primary where PostgreSQL ends the read for the replay', async () => {
    await pair.standby.query('alter system set max_standby_streaming_delay = 0');
    await pair.standby.query('select pg_reload_conf()');
    await pair.primary.query(
      `insert into users (email) select n || '@example.com' from generate_series(1, 100) as n`,
    );
    await pair.caughtUp();
    const servers: number[] = [];
    const errors: unknown[] = [];
    const asked = readerOf().read(async (em) => {
      const [server] = await runAlone<{ port: number }>(em, {
        text: 'select inet_server_port() as port',
        values: [],
      });
      servers.push(server?.port ?? 0);
      const seconds = servers.length === 1 ? 20 : 0;
      // Its snapshot needs the rows that the primary is about to remove.
      const text = `select (select count(*)::int from users) as count, pg_sleep(${seconds})`;
      try {
        return (await runAlone<{ count: number }>(em, { text, values: [] }))[0]?.count;
      } catch (error) {
        errors.push((error as { code?: string }).code);
        throw error;
      }
    });
    let hasEnded = false;
    const end = () => {
      hasEnded = true;
    };
    asked.then(end, end);
    await until('the read', async () => (await sleeping(20)) === 1);
    await pair.primary.query('delete from users');
    await until('its end', async () => {
      // Again and again: what somebody on the primary still sees is not removed.
      await pair.primary.query('vacuum users');
      return hasEnded;
    });
    expect(await asked).to.equal(0);
    expect(servers).to.deep.equal([pair.standby.port, pair.primary.port]);
    expect(errors).to.deep.equal(['40001']);
    await pair.standby.query('alter system reset max_standby_streaming_delay');
    await pair.standby.query('select pg_reload_conf()');
    // Until then, the replay may end others, or keep the table locked.
    await pair.caughtUp();
    // It is as good as before.
    expect((await ask(readerOf()))?.port).to.equal(pair.standby.port);
  });

  it('throws what is no fault of the replica', async () => {
    const servers: number[] = [];
    const failing = readerOf().read(async (em) => {
      servers.push(1);
      await runAlone(em, { text: 'select 1 / 0', values: [] });
    });
    const error = await failing.catch(({ code }) => code);
    expect(error).to.equal('22012');
    expect(servers).to.have.length(1);
  });

  it('streams from the replica, and from the primary where the first piece does not come', async () => {
    const pieces = async (fails: boolean) => {
      const found: number[] = [];
      const stream = readerOf().stream(async function* (em) {
        const [server] = await runAlone<{ port: number }>(em, {
          text: 'select inet_server_port() as port',
          values: [],
        });
        if (fails && server?.port === pair.standby.port)
          await runAlone(em, { text: 'select pg_terminate_backend(pg_backend_pid())', values: [] });
        yield server?.port ?? 0;
        yield 2;
      });
      for await (const piece of stream) found.push(piece);
      return found;
    };
    expect(await pieces(false)).to.deep.equal([pair.standby.port, 2]);
    expect(await pieces(true)).to.deep.equal([pair.primary.port, 2]);
    await until('the replica', async () => (await ask(readerOf()))?.port === pair.standby.port);
  });
});
