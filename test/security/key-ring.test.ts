import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { keyRing } from '../../src/security/key-ring.ts';

const NONE = {
  secret: null,
  secret1: null,
  secret2: null,
  secret3: null,
  issuer: null,
  jwksUrl: null,
  issuers: [],
};

describe('the ring of secrets', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rollcall-ring-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('has the secret with the highest number first, as Auth.js does', async () => {
    const all = { ...NONE, secret: 'a', secret1: 'b', secret2: 'c', secret3: 'd' };
    expect(await keyRing(all, folder)).to.deep.equal(['d', 'c', 'b', 'a']);
    expect(await keyRing({ ...all, secret2: null }, folder)).to.deep.equal(['d', 'b', 'a']);
    expect(await keyRing({ ...NONE, secret: 'a' }, folder)).to.deep.equal(['a']);
    expect(await keyRing({ ...NONE, secret1: 'b' }, folder)).to.deep.equal(['b']);
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it('is the development secret if none is configured', async () => {
    const [secret, ...older] = await keyRing(NONE, folder);
    expect(`${secret}\n`).to.equal(await readFile(join(folder, 'auth-secret'), 'utf8'));
    expect(older).to.deep.equal([]);
  });

  it('is empty if issuers sign people in and no secret is configured', async () => {
    for (const source of [
      { issuer: 'https://id.example.com' },
      { jwksUrl: 'https://id.example.com/keys' },
      { issuers: [{}] },
    ]) {
      expect(await keyRing({ ...NONE, ...source }, folder)).to.deep.equal([]);
      expect(await keyRing({ ...NONE, ...source, secret2: 'c' }, folder)).to.deep.equal(['c']);
    }
    expect(await readdir(folder)).to.deep.equal([]);
  });
});
