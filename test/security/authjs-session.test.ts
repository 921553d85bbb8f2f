import { hkdfSync } from 'node:crypto';
import { expect } from 'chai';
import { CompactEncrypt, decodeProtectedHeader, EncryptJWT } from 'jose';
import type { KeyRing } from '../../src/security/key-ring.ts';
import type { SourceSettings } from '../../src/security/sources.ts';
import { EmailUnverified, InvalidToken } from '../../src/security/token.ts';
import { tokenVerifier } from '../../src/security/verifier.ts';
import { SECRET, sources } from '../support/app.ts';
import { type Session, sessionOf } from '../support/authjs.ts';
import { refusalOf } from '../support/problem.ts';
import { inSeconds } from '../support/tokens.ts';

const ADA = { email: 'ada@example.com', name: 'Ada' };
const OTHER = 'another secret for the tests, long enough too';
const SALT = 'authjs.session-token';

/** The key that Auth.js derives from a secret. */
function keyOf(secret: string, length: number, salt = SALT): Uint8Array {
  return new Uint8Array(
    hkdfSync('sha256', secret, salt, `Auth.js Generated Encryption Key (${salt})`, length),
  );
}

/** A session token by hand, so that it can be wrong in ways in which Auth.js makes none. */
function forgeSession(
  header: Record<string, unknown> = {},
  claims: Record<string, unknown> = {},
): Promise<string> {
  const { enc = 'A256CBC-HS512', alg = 'dir', ...rest } = header as { enc?: string; alg?: string };
  return new EncryptJWT({ ...ADA, exp: inSeconds(60), ...claims })
    .setProtectedHeader({ alg, enc, ...rest })
    .encrypt(keyOf(SECRET, enc === 'A256GCM' ? 32 : 64), { crit: { exp: true } });
}

describe('a session of Auth.js', () => {
  const verify = async (token: string, auth: Partial<SourceSettings> = {}, ring?: KeyRing) =>
    (await tokenVerifier(sources(auth, ring))).verify(token);

  const accepted: [what: string, session: Session, auth?: Partial<SourceSettings>, ring?: KeyRing][] = [
    ['for http', {}],
    ['for https', { salt: '__Secure-authjs.session-token' }],
    ['for a cookie with another name', { salt: 'app' }, { cookieName: 'app' }],
    ['under the oldest of four secrets', {}, {}, [OTHER, `${OTHER}2`, `${OTHER}3`, SECRET]],
    ['made with the newest of several secrets', { secret: [OTHER, SECRET] }, {}, [OTHER, SECRET]],
    ['that is long', { token: { padding: 'x'.repeat(5000) } }],
  ];
  for (const [what, session, auth, ring] of accepted) {
    it(`is accepted when it is one ${what}`, async () => {
      expect(await verify(await sessionOf(session), auth, ring)).to.deep.equal(ADA);
    });
  }

  const refused: [what: string, session: Session, auth?: Partial<SourceSettings>][] = [
    ['under another secret', { secret: OTHER }],
    ['for another cookie of Auth.js', { salt: 'authjs.pkce.code_verifier' }],
    ["for Auth.js's own name, where there is another one", {}, { cookieName: 'app' }],
    ['for a cookie with another name', { salt: 'app' }],
    ['that has expired', { maxAge: -60 }],
    ['without an email', { token: { email: undefined } }],
    ['with an email that is null', { token: { email: null } }],
    ['that begins later', { token: { nbf: inSeconds(86_400) } }],
  ];
  for (const [what, session, auth] of refused) {
    it(`is refused when it is one ${what}`, async () => {
      expect(await refusalOf(verify(await sessionOf(session), auth))).to.be.instanceOf(InvalidToken);
    });
  }

  it('is refused when its email is not verified', async () => {
    const session = await sessionOf({ token: { email_verified: false } });
    expect(await refusalOf(verify(session))).to.be.instanceOf(EmailUnverified);
  });

  it('may be encrypted with A256GCM, which Auth.js decrypts too', async () => {
    expect(await verify(await forgeSession({ enc: 'A256GCM' }))).to.deep.equal(ADA);
  });

  it('may do without a kid', async () => {
    expect(await verify(await forgeSession())).to.deep.equal(ADA);
    expect(await verify(await forgeSession(), {}, [OTHER, SECRET])).to.deep.equal(ADA);
  });

  it('is checked with no key but the one that its kid names', async () => {
    const { kid } = decodeProtectedHeader(await sessionOf({ secret: OTHER }));
    const token = await forgeSession({ kid });
    for (const ring of [[SECRET], [OTHER], [OTHER, SECRET]] as KeyRing[]) {
      expect(await refusalOf(verify(token, {}, ring))).to.be.instanceOf(InvalidToken);
    }
  });

  const NO_KEY = 'no key of ours is the one that it names';
  const NO_TOKEN = 'this is not a token in a compact form';
  const NO_CLAIMS = 'JWT Claims Set must be a top-level JSON object';
  const hostile: [what: string, token: () => Promise<string>, reason: string][] = [
    ['has no exp', () => forgeSession({}, { exp: undefined }), 'missing required "exp" claim'],
    ['is encrypted with A128CBC-HS256', () => encryptedWith('A128CBC-HS256', 32), NO_KEY],
    ['is encrypted with A192GCM', () => encryptedWith('A192GCM', 24), NO_KEY],
    ['is encrypted with A128GCM', () => encryptedWith('A128GCM', 16), NO_KEY],
    ['is compressed', () => forgeSession({ zip: 'DEF' }), 'the header has "zip"'],
    [
      'has critical headers',
      () => forgeSession({ crit: ['exp'], exp: inSeconds(60) }),
      'the header has "crit"',
    ],
    ['holds another token', () => forgeSession({ cty: 'JWT' }), 'the header has "cty"'],
    ['brings a key along', () => forgeSession({ jwk: { kty: 'oct', k: 'AAAA' } }), 'the header has "jwk"'],
    ['has a key that is wrapped', () => wrapped(), NO_TOKEN],
    ['has a key that is made of a password', () => fromPassword(), NO_TOKEN],
    ['is no JSON', () => plain('hello'), NO_CLAIMS],
    ['is a list', () => plain('["ada@example.com"]'), NO_CLAIMS],
    ['is a token by itself, with no header that says so', async () => plain(await sessionOf()), NO_CLAIMS],
    ['has lost its last part', async () => (await sessionOf()).replace(/[^.]+$/, ''), NO_TOKEN],
    ['has lost a part', async () => (await sessionOf()).replace(/\.[^.]+$/, ''), NO_TOKEN],
    ['has one part too many', async () => `${await sessionOf()}.AAAA`, NO_TOKEN],
    ['has a key of its own', async () => (await sessionOf()).replace('..', '.AAAA.'), NO_TOKEN],
    [
      'has another header',
      async () => (await sessionOf()).replace(/^[^.]+/, await headerOf('A256GCM')),
      'Invalid Authentication Tag length',
    ],
    ['is cut off, as when a cookie is missing', async () => (await sessionOf()).slice(0, 300), NO_TOKEN],
  ];
  for (const [what, token, reason] of hostile) {
    it(`is refused when it ${what}`, async () => {
      const refusal = await refusalOf(verify(await token()));
      expect(refusal).to.be.instanceOf(InvalidToken);
      expect((refusal as Error).message).to.equal(reason);
    });
  }

  it('is refused when it has any one bit changed behind its header', async () => {
    const verifier = await tokenVerifier(sources());
    const [header, , iv = '', text = '', tag = ''] = (await sessionOf()).split('.');
    const parts = [iv, text, tag].map((part) => Buffer.from(part, 'base64url'));
    for (const part of parts) {
      for (let byte = 0; byte < part.length; byte += 8) {
        part.writeUInt8(part.readUInt8(byte) ^ 1, byte);
        const changed = `${header}..${parts.map((bytes) => bytes.toString('base64url')).join('.')}`;
        expect(await refusalOf(verifier.verify(changed))).to.be.instanceOf(InvalidToken);
        part.writeUInt8(part.readUInt8(byte) ^ 1, byte);
      }
    }
    const whole = `${header}..${parts.map((bytes) => bytes.toString('base64url')).join('.')}`;
    expect(await verifier.verify(whole)).to.deep.equal(ADA);
  });
});

const claims = () => new EncryptJWT({ ...ADA, exp: inSeconds(60) });

function encryptedWith(enc: string, length: number): Promise<string> {
  return claims().setProtectedHeader({ alg: 'dir', enc }).encrypt(keyOf(SECRET, length));
}

function wrapped(): Promise<string> {
  return claims().setProtectedHeader({ alg: 'A256KW', enc: 'A256GCM' }).encrypt(keyOf(SECRET, 32));
}

function fromPassword(): Promise<string> {
  return claims()
    .setProtectedHeader({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM' })
    .encrypt(Buffer.from(SECRET));
}

function plain(text: string): Promise<string> {
  return new CompactEncrypt(Buffer.from(text))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(keyOf(SECRET, 32));
}

async function headerOf(enc: string): Promise<string> {
  return (await forgeSession({ enc })).split('.')[0] ?? '';
}
