import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { isRoot, nobody, postmasterOf, type Stage, self } from './stage.ts';
import { asEveryone } from './story.ts';

/** Makes a cluster, spoils it, and gives what the next one to open it is told. */
async function refusal(stage: Stage, spoil: () => Promise<unknown>): Promise<string> {
  const holder = await stage.holder();
  await holder.open(stage.directory);
  await holder.release();
  await spoil();
  return messageOf(stage);
}

async function messageOf(stage: Stage, parameters: Record<string, string> = {}): Promise<string> {
  const holder = await stage.holder();
  const error = await holder.open(stage.directory, { parameters }).then(
    () => undefined,
    (reason: Error) => reason,
  );
  expect(error, 'it opened').to.be.instanceOf(Error);
  expect(await postmasterOf(stage.directory).catch(() => undefined), 'it runs').to.equal(undefined);
  return error?.message ?? '';
}

asEveryone(
  'the embedded database refuses, saying why',
  (stage) => {
    it('a cluster of another major version', async () => {
      const { directory } = stage();
      const message = await refusal(stage(), () =>
        writeFile(join(directory, 'cluster/data/PG_VERSION'), '15\n'),
      );
      expect(message)
        .to.include('PostgreSQL 15')
        .and.include('PostgreSQL 18')
        .and.include(join(directory, 'cluster'));
    });

    it('a cluster without its password', async () => {
      const { directory } = stage();
      const message = await refusal(stage(), () => rm(join(directory, 'cluster/password')));
      expect(message).to.include(join(directory, 'cluster')).and.include('damaged');
    });

    it('a cluster with another password', async () => {
      const { directory } = stage();
      const holder = await stage().holder();
      await holder.open(directory);
      await writeFile(join(directory, 'cluster/password'), 'not-the-one');
      const other = await stage().holder();
      const error = await other.open(directory).then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error?.message).to.include('refuses the password').and.not.include('not-the-one');
      await holder.release();
    });

    it('a setting that PostgreSQL does not know', async () => {
      expect(await messageOf(stage(), { no_such_setting: '1' })).to.include('no_such_setting');
    });

    it('a folder that cannot be made', async () => {
      const parent = dirname(stage().directory);
      await rm(parent, { recursive: true });
      await writeFile(parent, 'a file is in the way');
      expect(await messageOf(stage())).to.include(stage().directory);
    });
  },
  [self],
);

/**
 * Only root can give files away: whoever else runs the tests plays the one story in which all is their own.
 */
const strangers = isRoot ? [nobody()] : [self];
asEveryone(
  'the embedded database in a folder of others',
  (stage) => {
    it('names the folder and the remedy', async () => {
      const { directory, part } = stage();
      await stage().removeCluster();
      await mkdir(directory, { mode: part.ids ? 0o700 : 0o500 });
      expect(await messageOf(stage()))
        .to.include(directory)
        .and.include('belongs to')
        .and.include('chown');
    });

    it('names a cluster that is not its own', async () => {
      const { directory, part } = stage();
      if (!part.ids) return expectOwn(stage());
      const message = await refusal(stage(), () => chown(join(directory, 'cluster'), 0, 0));
      return expect(message)
        .to.include(join(directory, 'cluster'))
        .and.include('belongs to root')
        .and.include('chown');
    });
  },
  strangers,
);

async function expectOwn(stage: Stage): Promise<void> {
  const holder = await stage.holder();
  expect((await holder.open(stage.directory)).origin).to.equal('started');
  await holder.release();
}
