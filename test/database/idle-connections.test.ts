import { existsSync, readFileSync } from 'node:fs';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../mikro-orm.config.ts';
import { clientConfig } from '../../src/database/connection.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { startProxy } from '../support/proxy.ts';
import { startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

describe('connections that are idle', function () {
  this.timeout(120_000);

  let database: TestDatabase;

  beforeEach(async () => {
    database = await createMigratedDatabase();
  });

  afterEach(() => database.drop());

  const idle = async (forSeconds: number) => {
    const sessions = `
      select client_port as port from pg_stat_activity
       where datname = $1 and application_name like 'rollcall%' and state = 'idle' and now() - state_change > $2 * interval '1 second'`;
    return until('idle sessions', async () => {
      const found = await database.query<{ port: number }>(sessions, [database.name, forSeconds]);
      return found.length > 0 ? found.map(({ port }) => port) : undefined;
    });
  };

  it('outlive the time that a database gives to idle sessions', async () => {
    await database.query(`alter database "${database.name}" set idle_session_timeout = '1s'`);
    const server = startServer({ DATABASE_URL: database.url, INITIAL_ADMINS: 'ada@example.com' });
    const address = await server.ready();
    await idle(2);
    expect((await fetch(`${address}/readyz`)).status).to.equal(200);
    expect(await server.end('SIGTERM')).to.equal(0);
    expect(server.lines.filter(({ level }) => (level as number) > 30)).to.deep.equal([]);
  });

  it('fail alone where the server ends them as soon as they are ready', async () => {
    const wire = await startProxy(database.url);
    const found = { encrypted: false };
    const orm = new MikroORM({
      ...ormOptions({ ...database, url: wire.url, found }),
      logger: () => undefined,
    });
    wire.hold();
    const answer = orm.em.fork().execute('select 1');
    await until('a session', () =>
      database
        .query(
          `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = $1 and application_name = 'rollcall' and state = 'idle'`,
          [database.name],
        )
        .then(({ length }) => length > 0),
    );
    expect(await answer.catch(({ message }) => message)).to.match(/terminating connection/);
    await orm.close(true);
    await wire.close();
  });

  it('are probed by the system within a minute, and replaced within some', async () => {
    const orm = new MikroORM({ ...ormOptions(database), logger: () => undefined });
    const pool = await orm.em.getConnection().getNativeClient();
    expect((pool as unknown as { options: object }).options).to.include({ maxLifetimeSeconds: 600 });
    await orm.em.fork().execute('select 1');
    if (existsSync(SOCKETS)) {
      const ports = await idle(0);
      const probes = keepAliveSeconds().filter(({ port }) => ports.includes(port));
      expect(probes.map(({ port }) => port)).to.have.members(ports);
      for (const { seconds } of probes) expect(seconds).to.be.within(0, 60);
    } else {
      expect(clientConfig(database, 'direct').keepAliveInitialDelayMillis).to.equal(60_000);
    }
    await orm.close(true);
  });
});

/** Linux's table of TCP sockets. */
const SOCKETS = '/proc/net/tcp';

/** By local port, the time until a socket's peer is probed; proc(5) has the format. */
function keepAliveSeconds(): { port: number; seconds: number }[] {
  const KEEP_ALIVE_TIMER = '02';
  const TICKS_PER_SECOND = 100;
  return readFileSync(SOCKETS, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[5]?.startsWith(`${KEEP_ALIVE_TIMER}:`))
    .map(([, local = '', , , , timer = '']) => ({
      port: Number.parseInt(local.split(':')[1] ?? '', 16),
      seconds: Number.parseInt(timer.split(':')[1] ?? '', 16) / TICKS_PER_SECOND,
    }));
}
