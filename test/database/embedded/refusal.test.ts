import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { describeForUsers } from './describe-for-users.ts';
import { currentUser, type Fixture, isRoot, nobody, readPostmasterPid } from './fixture.ts';

/** Creates a cluster, damages it, and returns the error message of the next open. */
async function openDamaged(fixture: Fixture, damage: () => Promise<unknown>): Promise<string> {
  const holder = await fixture.startHolder();
  await holder.open(fixture.directory);
  await holder.release();
  await damage();
  return failToOpen(fixture);
}

/** Expects open to fail, and returns its error message. */
async function failToOpen(fixture: Fixture, parameters: Record<string, string> = {}): Promise<string> {
  const holder = await fixture.startHolder();
  const error = await holder.open(fixture.directory, { parameters }).then(
    () => undefined,
    (reason: Error) => reason,
  );
  expect(error, 'it opened').to.be.instanceOf(Error);
  expect(await readPostmasterPid(fixture.directory).catch(() => undefined), 'it runs').to.equal(undefined);
  return error?.message ?? '';
}

describeForUsers(
  'the embedded database refuses with the reason',
  (fixture) => {
    it('a cluster of another major version', async () => {
      const { directory } = fixture();
      const message = await openDamaged(fixture(), () =>
        writeFile(join(directory, 'cluster/data/PG_VERSION'), '15\n'),
      );
      expect(message)
        .to.include('PostgreSQL 15')
        .and.include('PostgreSQL 18')
        .and.include(join(directory, 'cluster'));
    });

    it('a cluster without its password', async () => {
      const { directory } = fixture();
      const message = await openDamaged(fixture(), () => rm(join(directory, 'cluster/password')));
      expect(message).to.include(join(directory, 'cluster')).and.include('damaged');
    });

    it('a cluster with another password', async () => {
      const { directory } = fixture();
      const holder = await fixture().startHolder();
      await holder.open(directory);
      await writeFile(join(directory, 'cluster/password'), 'not-the-one');
      const other = await fixture().startHolder();
      const error = await other.open(directory).then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error?.message).to.include('refuses the password').and.not.include('not-the-one');
      await holder.release();
    });

    it('a setting that PostgreSQL does not know', async () => {
      expect(await failToOpen(fixture(), { no_such_setting: '1' })).to.include('no_such_setting');
    });

    it('a folder that cannot be created', async () => {
      const parent = dirname(fixture().directory);
      await rm(parent, { recursive: true });
      await writeFile(parent, 'a file blocks the folder');
      expect(await failToOpen(fixture()))
        .to.include(fixture().directory)
        .and.include('set DATA_DIR');
    });
  },
  [currentUser],
);

/** Only root can change the owner of files. Other users run the same tests with their own files. */
const restrictedUsers = isRoot ? [nobody()] : [currentUser];
describeForUsers(
  'the embedded database in a folder of another user',
  (fixture) => {
    it('names the folder and the remedy', async () => {
      const { directory, user } = fixture();
      await fixture().removeCluster();
      await mkdir(directory, { mode: user.ids ? 0o700 : 0o500 });
      expect(await failToOpen(fixture()))
        .to.include(directory)
        .and.include('belongs to')
        .and.include('chown');
    });

    it('names the cluster of another user', async () => {
      const { directory, user } = fixture();
      if (!user.ids) return expectStart(fixture());
      const message = await openDamaged(fixture(), () => chown(join(directory, 'cluster'), 0, 0));
      return expect(message)
        .to.include(join(directory, 'cluster'))
        .and.include('belongs to root')
        .and.include('chown');
    });
  },
  restrictedUsers,
);

async function expectStart(fixture: Fixture): Promise<void> {
  const holder = await fixture.startHolder();
  expect((await holder.open(fixture.directory)).origin).to.equal('started');
  await holder.release();
}
