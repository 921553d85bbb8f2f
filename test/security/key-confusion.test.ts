import { createHash, createPublicKey, hkdfSync, type JsonWebKey } from 'node:crypto';
import { expect } from 'chai';
import {
  CompactEncrypt,
  type CryptoKey,
  EncryptJWT,
  exportJWK,
  exportSPKI,
  type GenerateKeyPairResult,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from 'jose';
import { InvalidToken, type TokenVerifier } from '../../src/security/token.ts';
import { tokenVerifier } from '../../src/security/verifier.ts';
import { listedIssuer, SECRET, sources } from '../support/app.ts';
import { sessionOf } from '../support/authjs.ts';
import { type KeyServer, serveKeys } from '../support/key-server.ts';
import { refusalOf } from '../support/problem.ts';
import { forge, inSeconds } from '../support/tokens.ts';

const AUDIENCE = 'rollcall';
const ADA = { email: 'ada@example.com' };
const SALT = 'authjs.session-token';

/** Tries the keys of every source on the tokens of every other source. */
describe('the keys of one source', () => {
  let one: KeyServer & { pair: GenerateKeyPairResult; jwk: JWK };
  let two: typeof one;
  let anonymous: typeof one;
  let verifier: TokenVerifier;

  before(async () => {
    // The same `kid` everywhere: it must not decide which source a key belongs to.
    const make = async () => {
      const pair = await generateKeyPair('RS256', { extractable: true });
      const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'key' };
      return { ...(await serveKeys({ keys: [jwk] })), pair, jwk };
    };
    [one, two, anonymous] = [await make(), await make(), await make()];
    verifier = await tokenVerifier(
      sources({
        jwksUrl: anonymous.url,
        audience: [AUDIENCE],
        issuers: [one, two].map(({ url, origin }) =>
          listedIssuer({ issuer: origin, jwksUrl: url, audience: [AUDIENCE] }),
        ),
      }),
    );
  });

  after(() => Promise.all([one, two, anonymous].map(({ close }) => close())));

  const claims = (iss?: string) => ({ ...ADA, aud: AUDIENCE, exp: inSeconds(60), ...(iss && { iss }) });
  const signed = (key: CryptoKey, iss?: string, header = {}) =>
    new SignJWT(claims(iss)).setProtectedHeader({ alg: 'RS256', kid: 'key', ...header }).sign(key);
  const hmac = (secret: string | Uint8Array, header = {}, iss?: string) =>
    new SignJWT(claims(iss))
      .setProtectedHeader({ alg: 'HS256', ...header })
      .sign(typeof secret === 'string' ? Buffer.from(secret) : secret);
  /** A token that claims RS256 but carries an HMAC, which no library produces. */
  const disguised = (secret: string | Buffer, iss?: string) =>
    forge({ header: { alg: 'RS256', kid: 'key' }, claims: claims(iss), secret });
  const encrypted = (key: Uint8Array, header = {}) =>
    new EncryptJWT(claims()).setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...header }).encrypt(key);
  const sessionKey = (length: number) =>
    new Uint8Array(hkdfSync('sha256', SECRET, SALT, `Auth.js Generated Encryption Key (${SALT})`, length));
  const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest();

  /** Every common encoding of a public key. */
  const encodingsOf = async ({ pair, jwk }: typeof one) => {
    const spki = await exportSPKI(pair.publicKey);
    const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
    return [
      spki,
      spki.trimEnd(),
      spki.replace(/-----.*-----|\n/g, ''),
      key.export({ format: 'der', type: 'spki' }),
      key.export({ format: 'der', type: 'pkcs1' }),
      key.export({ format: 'pem', type: 'pkcs1' }) as string,
      JSON.stringify(jwk),
      JSON.stringify({ keys: [jwk] }),
      jwk.n ?? '',
      Buffer.from(jwk.n ?? '', 'base64url'),
    ];
  };

  it('verify the tokens of that source', async () => {
    for (const token of [
      forge(),
      await sessionOf(),
      await signed(one.pair.privateKey, one.origin),
      await signed(two.pair.privateKey, two.origin),
      await signed(anonymous.pair.privateKey),
      await signed(anonymous.pair.privateKey, 'https://somebody.example.com'),
    ]) {
      expect(await verifier.verify(token)).to.include(ADA);
    }
  });

  /** The tokens that an attacker who knows a key could send as tokens of another source. */
  const confusions: [key: string, target: string, tokens: () => Promise<(string | Promise<string>)[]>][] = [
    [
      'the secret',
      'a session',
      async () => [
        encrypted(Buffer.from(SECRET).subarray(0, 32)),
        encrypted(sha256(SECRET)),
        encrypted(new Uint8Array(hkdfSync('sha256', SECRET, '', '', 32))),
        // Auth.js 5 has a key for each cookie, NextAuth.js 4 one of its own.
        encrypted(new Uint8Array(hkdfSync('sha256', SECRET, '', 'Auth.js Generated Encryption Key', 32))),
        encrypted(
          new Uint8Array(hkdfSync('sha256', SECRET, SALT, 'NextAuth.js Generated Encryption Key', 32)),
        ),
      ],
    ],
    [
      'the secret',
      'an issuer',
      async () => [disguised(SECRET, one.origin), hmac(SECRET.slice(1), {}, one.origin)],
    ],
    ['the secret', 'the anonymous issuer', async () => [disguised(SECRET)]],
    ["a session's key", 'an HS256 token', async () => [hmac(sessionKey(64)), hmac(sessionKey(32))]],
    [
      "a session's key",
      'an issuer',
      async () => [
        disguised(Buffer.from(sessionKey(64)), one.origin),
        disguised(Buffer.from(sessionKey(32)), one.origin),
      ],
    ],
    ["a session's key", 'the anonymous issuer', async () => [disguised(Buffer.from(sessionKey(64)))]],
    [
      "an issuer's public key",
      'an HS256 token',
      async () =>
        (await encodingsOf(one)).flatMap((text) => [
          hmac(text as Uint8Array),
          hmac(text as Uint8Array, { kid: 'key' }, one.origin),
          disguised(text as Buffer, one.origin),
        ]),
    ],
    [
      "an issuer's public key",
      'a session',
      async () => [
        ...(await encodingsOf(one)).flatMap((text) => [
          encrypted(sha256(text)),
          encrypted(sha256(text), { kid: 'key' }),
        ]),
        new CompactEncrypt(Buffer.from(JSON.stringify(claims())))
          .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: 'key' })
          .encrypt(await importJWK(one.jwk, 'RSA-OAEP-256')),
      ],
    ],
    ["an issuer's private key", 'another issuer', async () => [signed(one.pair.privateKey, two.origin)]],
    ["the other issuer's private key", 'the first', async () => [signed(two.pair.privateKey, one.origin)]],
    [
      "an issuer's private key",
      'the anonymous issuer',
      async () => [signed(one.pair.privateKey), signed(one.pair.privateKey, 'https://somebody.example.com')],
    ],
    [
      "the anonymous issuer's private key",
      'an issuer',
      async () => [signed(anonymous.pair.privateKey, one.origin)],
    ],
    [
      "the anonymous issuer's public key",
      'an HS256 token',
      async () => (await encodingsOf(anonymous)).map((text) => hmac(text as Uint8Array)),
    ],
    [
      "the anonymous issuer's public key",
      'a session',
      async () => (await encodingsOf(anonymous)).map((text) => encrypted(sha256(text))),
    ],
  ];
  for (const [key, target, tokens] of confusions) {
    it(`make no token of another source: ${key}, for ${target}`, async () => {
      for (const made of await tokens()) {
        const token = await made;
        expect(await refusalOf(verifier.verify(token)), token).to.be.instanceOf(InvalidToken);
      }
    });
  }

  it('are never a secret that an issuer publishes', async () => {
    const k = Buffer.from('a secret that everybody knows, and long').toString('base64url');
    const server = await serveKeys({ keys: [{ kty: 'oct', k, kid: 'key', alg: 'HS256' }] });
    const { verify } = await tokenVerifier(sources({ jwksUrl: server.url, audience: [AUDIENCE] }));
    for (const header of [{ kid: 'key' }, {}]) {
      const token = hmac(Buffer.from(k, 'base64url'), header);
      expect(await refusalOf(verify(await token))).to.be.instanceOf(InvalidToken);
    }
    const token = disguised(Buffer.from(k, 'base64url'));
    expect(await refusalOf(verify(token))).to.be.instanceOf(InvalidToken);
    await server.close();
  });

  it('never come from the token itself', async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const evil = await serveKeys({ keys: [{ ...jwk, kid: 'key' }] });
    for (const header of [{ jwk }, { jku: evil.url }, { x5u: evil.url }, { x5c: ['MIIB'] }, {}]) {
      const token = await signed(privateKey, one.origin, header);
      expect(await refusalOf(verifier.verify(token))).to.be.instanceOf(InvalidToken);
    }
    expect(evil.asked()).to.equal(0);
    await evil.close();
  });
});
