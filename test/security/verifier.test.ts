import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { EmailUnverified, InvalidToken } from '../../src/security/token.ts';
import { tokenVerifier } from '../../src/security/verifier.ts';
import { sources } from '../support/app.ts';
import { sessionOf } from '../support/authjs.ts';
import { type KeyServer, serveKeys } from '../support/key-server.ts';
import { refusalOf } from '../support/problem.ts';
import { forge, inSeconds } from '../support/tokens.ts';

/** What the platform is asked for when a signature is checked or a token is decrypted. */
const CRYPTOGRAPHY = ['verify', 'decrypt', 'importKey', 'sign'] as const;

describe('a token that was good', () => {
  let keys: KeyServer;
  let tokens: [what: string, token: string][];
  /** How often the platform was asked for any of it. */
  let calls: number;
  const { subtle } = crypto;

  before(async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    keys = await serveKeys({ keys: [await exportJWK(publicKey)] });
    const claims = { email: 'ada@example.com', aud: 'rollcall', exp: inSeconds(3600) };
    tokens = [
      ['an HS256 token', forge({ claims })],
      ['a session', await sessionOf({ maxAge: 3600 })],
      ['an RS256 token', await new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(privateKey)],
    ];
    for (const name of CRYPTOGRAPHY) {
      Object.defineProperty(subtle, name, {
        configurable: true,
        value(...args: never[]) {
          calls++;
          return Reflect.apply(Object.getPrototypeOf(subtle)[name], subtle, args);
        },
      });
    }
  });

  after(async () => {
    for (const name of CRYPTOGRAPHY) Reflect.deleteProperty(subtle, name);
    await keys.close();
  });

  const verifierAt = (now: () => Date) =>
    tokenVerifier(sources({ jwksUrl: keys.url, audience: ['rollcall'] }), { now });

  it('costs no cryptography again', async () => {
    const verifier = await verifierAt(() => new Date());
    for (const [what, token] of tokens) {
      calls = 0;
      const identity = await verifier.verify(token);
      expect(calls, what).to.be.above(0);
      calls = 0;
      for (let time = 0; time < 100; time++) expect(await verifier.verify(token)).to.equal(identity);
      expect(calls, what).to.equal(0);
    }
    expect(keys.asked()).to.equal(1);
  });

  it('costs none again either where it says that its email is not verified', async () => {
    const verifier = await verifierAt(() => new Date());
    const token = forge({ claims: { email_verified: false } });
    for (let time = 0; time < 3; time++) {
      calls = 0;
      expect(await refusalOf(verifier.verify(token))).to.be.instanceOf(EmailUnverified);
      if (time > 0) expect(calls).to.equal(0);
    }
  });

  it('is good no longer than it says', async () => {
    let ahead = 0;
    const verifier = await verifierAt(() => new Date(Date.now() + ahead));
    for (const [what, token] of tokens) {
      ahead = 0;
      await verifier.verify(token);
      ahead = 3600_000;
      expect(await verifier.verify(token), what).to.include({ email: 'ada@example.com' });
      ahead = 3620_000;
      expect(await refusalOf(verifier.verify(token)), what).to.be.instanceOf(InvalidToken);
      ahead = 0;
      expect(await verifier.verify(token), what).to.include({ email: 'ada@example.com' });
    }
  });

  it('says nothing for one that differs in any sign', async () => {
    const verifier = await verifierAt(() => new Date());
    for (const [, token] of tokens) {
      await verifier.verify(token);
      for (const other of [`${token}A`, token.slice(0, -2), ` ${token}`, token.replace(/^./, 'f')]) {
        expect(await refusalOf(verifier.verify(other))).to.be.instanceOf(InvalidToken);
      }
    }
  });
});
