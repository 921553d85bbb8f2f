import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { developmentSecret } from '../../src/security/development-secret.ts';

const MODULE = join(import.meta.dirname, '../../src/security/development-secret.ts');

/** A program that calls `developmentSecret` `times` times at once and prints all results. */
const PROGRAM = `
  import { developmentSecret } from ${JSON.stringify(MODULE)};
  const [directory, times] = process.argv.slice(1);
  const calls = Array.from({ length: Number(times) }, () => developmentSecret(directory));
  console.log(JSON.stringify(await Promise.all(calls)));`;

describe('the development secret', () => {
  let parent: string;
  let directory: string;

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'rollcall-secret-'));
    directory = join(parent, 'not', 'there', 'yet');
  });

  afterEach(() => rm(parent, { recursive: true }));

  const failureOf = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: Error) => error.message,
    );

  it('is generated once and then stays the same', async () => {
    const secret = await developmentSecret(directory);
    expect(secret).to.match(/^[\w-]{43}$/);
    expect(await developmentSecret(directory)).to.equal(secret);
    expect(await readFile(join(directory, 'auth-secret'), 'utf8')).to.equal(`${secret}\n`);
  });

  it('differs between folders', async () => {
    expect(await developmentSecret(directory)).not.to.equal(await developmentSecret(join(parent, 'other')));
  });

  it('is readable only by its owner, and no draft is left over', async () => {
    await developmentSecret(directory);
    expect((await stat(join(directory, 'auth-secret'))).mode & 0o777).to.equal(0o600);
    expect(await readdir(directory)).to.deep.equal(['auth-secret']);
  });

  it('is the same for twenty concurrent first calls in five processes', async () => {
    const run = () =>
      promisify(execFile)(process.execPath, ['--input-type=module', '--eval', PROGRAM, directory, '4']);
    const outputs = await Promise.all(Array.from({ length: 5 }, run));
    const secrets = outputs.flatMap(({ stdout }) => JSON.parse(stdout) as string[]);
    expect(secrets).to.have.length(20);
    expect(new Set(secrets)).to.have.property('size', 1);
    expect(secrets[0]).to.equal(await developmentSecret(directory));
    expect(await readdir(directory)).to.deep.equal(['auth-secret']);
  });

  for (const [problem, content] of [
    ['empty', ''],
    ['blank', ' \n'.repeat(40)],
    ['too short', 'x'.repeat(31)],
  ] as const) {
    it(`is not read from a file that is ${problem}, and the file stays unchanged`, async () => {
      const path = join(parent, 'auth-secret');
      await writeFile(path, content);
      expect(await failureOf(developmentSecret(parent))).to.equal(
        `${path} holds no secret: remove it to generate a new one.`,
      );
      expect(await readFile(path, 'utf8')).to.equal(content);
    });
  }

  it('may be set by hand', async () => {
    await writeFile(join(parent, 'auth-secret'), `  ${'own '.repeat(10)}\n`);
    expect(await developmentSecret(parent)).to.equal('own '.repeat(10).trim());
  });

  it('cannot be stored if the folder is a file', async () => {
    await writeFile(join(parent, 'file'), '');
    expect(await failureOf(developmentSecret(join(parent, 'file')))).to.match(/ENOTDIR|EEXIST/);
  });
});
