import { expect } from 'chai';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { mikroOrm } from '../support/mikro-orm.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { type ServerProcess, startServer } from '../support/server-process.ts';
import { until } from '../support/until.ts';

describe('several servers in one database URL', function () {
  this.timeout(120_000);

  let primary: PostgresServer;
  let standby: PostgresServer;
  let nobody: string;
  let started: ServerProcess[] = [];

  before(async () => {
    primary = await startPostgres();
    standby = await startPostgres({ primary });
    nobody = `127.0.0.1:${await findFreePort()}`;
  });

  afterEach(async () => {
    await Promise.all(started.map((process) => process.end('SIGKILL')));
    started = [];
  });

  after(async () => {
    await standby.remove();
    await primary.remove();
  });

  const at = ({ port }: PostgresServer) => `127.0.0.1:${port}`;
  const urlOf = (hosts: readonly string[], parameters = '') =>
    `postgres://postgres@${hosts.join()}/postgres${parameters}`;
  const start = (url: string, env: NodeJS.ProcessEnv = {}) => {
    const process = startServer({ DATABASE_URL: url, INITIAL_ADMINS: 'ada@example.com', ...env });
    started.push(process);
    return process;
  };
  const expectTwoStarts = async (url: string) => {
    for (const attempt of ['first', 'second']) {
      const process = start(url);
      const address = await process.ready();
      expect((await fetch(`${address}/readyz`)).status, attempt).to.equal(200);
      expect(await process.end('SIGTERM'), attempt).to.equal(0);
    }
    const { code, said } = await mikroOrm({ DATABASE_URL: url }, 'migration:check');
    expect(code, said).to.equal(0);
  };

  it('starts twice on a Unix socket', async () => {
    const { sockets, port } = primary;
    await expectTwoStarts(`postgres://postgres@/postgres?host=${encodeURIComponent(sockets)}&port=${port}`);
  });

  it('starts twice at the primary, past a server that is down and a standby', async () => {
    await expectTwoStarts(urlOf([nobody, at(standby), at(primary)], '?target_session_attrs=read-write'));
  });

  for (const parameters of ['', '?target_session_attrs=any']) {
    it(`waits at a standby alone until its deadline, with what to do (${parameters || 'nothing said'})`, async () => {
      const process = start(urlOf([at(standby)], parameters), { BOOT_TIMEOUT_MS: '4000' });
      expect(await process.ended()).to.equal(1);
      const fatal = process.lines.filter(({ level }) => level === 60).map(({ msg }) => msg);
      expect(fatal).to.have.length(1);
      expect(fatal[0]).to.match(/\(4000 ms\): .*is a read-only standby: point DATABASE_URL to the primary/);
      expect(JSON.stringify(process.lines)).not.to.include('"stack"');
    });
  }

  it('exits 78 when it is told to prefer a standby', async () => {
    const process = start(urlOf([at(primary)], '?target_session_attrs=standby'));
    expect(await process.ended()).to.equal(78);
    expect(process.output.join('\n') + JSON.stringify(process.lines)).to.include('target_session_attrs');
  });

  it('goes on at the standby once it has been promoted and the primary is gone', async () => {
    const process = start(urlOf([at(primary), at(standby)]));
    const address = await process.ready();
    await primary.stop();
    await standby.query('select pg_promote()');
    const isReady = () =>
      fetch(`${address}/readyz`, { signal: AbortSignal.timeout(10_000) }).then(
        ({ ok }) => ok,
        () => false,
      );
    expect(await until('the standby', isReady)).to.equal(true);
  });
});
