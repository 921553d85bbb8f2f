import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { EmailUnverified, InvalidToken } from '../../src/security/token.ts';
import { tokenVerifier } from '../../src/security/verifier.ts';
import { sources } from '../support/app.ts';
import { sessionOf } from '../support/authjs.ts';
import { type KeyServer, serveKeys } from '../support/key-server.ts';
import { refusalOf } from '../support/problem.ts';
import { forge, inSeconds } from '../support/tokens.ts';

/** The platform functions that check a signature or decrypt a token. */
const CRYPTOGRAPHY = ['verify', 'decrypt', 'importKey', 'sign'] as const;

describe('a verified token', () => {
  let keys: KeyServer;
  let tokens: [kind: string, token: string][];
  /** The number of calls to any of these functions. */
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

  it('needs no cryptography when it comes again', async () => {
    const verifier = await verifierAt(() => new Date());
    for (const [kind, token] of tokens) {
      calls = 0;
      const identity = await verifier.verify(token);
      expect(calls, kind).to.be.above(0);
      calls = 0;
      for (let time = 0; time < 100; time++) expect(await verifier.verify(token)).to.equal(identity);
      expect(calls, kind).to.equal(0);
    }
    expect(keys.asked()).to.equal(1);
  });

  it('needs none either if its email is unverified', async () => {
    const verifier = await verifierAt(() => new Date());
    const token = forge({ claims: { email_verified: false } });
    for (let time = 0; time < 3; time++) {
      calls = 0;
      expect(await refusalOf(verifier.verify(token))).to.be.instanceOf(EmailUnverified);
      if (time > 0) expect(calls).to.equal(0);
    }
  });

  it('is valid only until its exp', async () => {
    let ahead = 0;
    const verifier = await verifierAt(() => new Date(Date.now() + ahead));
    for (const [kind, token] of tokens) {
      ahead = 0;
      await verifier.verify(token);
      ahead = 3600_000;
      expect(await verifier.verify(token), kind).to.include({ email: 'ada@example.com' });
      ahead = 3620_000;
      expect(await refusalOf(verifier.verify(token)), kind).to.be.instanceOf(InvalidToken);
      ahead = 0;
      expect(await verifier.verify(token), kind).to.include({ email: 'ada@example.com' });
    }
  });

  it('does not make a token valid that differs in one character', async () => {
    const verifier = await verifierAt(() => new Date());
    for (const [, token] of tokens) {
      await verifier.verify(token);
      for (const other of [`${token}A`, token.slice(0, -2), ` ${token}`, token.replace(/^./, 'f')]) {
        expect(await refusalOf(verifier.verify(other))).to.be.instanceOf(InvalidToken);
      }
    }
  });
});
