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
function deriveKey(secret: string, length: number, salt = SALT): Uint8Array {
  return new Uint8Array(
    hkdfSync('sha256', secret, salt, `Auth.js Generated Encryption Key (${salt})`, length),
  );
}

/** Builds a session token by hand, so that it can be invalid in ways that Auth.js never produces. */
function forgeSession(
  header: Record<string, unknown> = {},
  claims: Record<string, unknown> = {},
): Promise<string> {
  const { enc = 'A256CBC-HS512', alg = 'dir', ...rest } = header as { enc?: string; alg?: string };
  return new EncryptJWT({ ...ADA, exp: inSeconds(60), ...claims })
    .setProtectedHeader({ alg, enc, ...rest })
    .encrypt(deriveKey(SECRET, enc === 'A256GCM' ? 32 : 64), { crit: { exp: true } });
}

describe('an Auth.js session', () => {
  const verify = async (token: string, auth: Partial<SourceSettings> = {}, ring?: KeyRing) =>
    (await tokenVerifier(sources(auth, ring))).verify(token);

  const accepted: [kind: string, session: Session, auth?: Partial<SourceSettings>, ring?: KeyRing][] = [
    ['over HTTP', {}],
    ['over HTTPS', { salt: '__Secure-authjs.session-token' }],
    ['for a configured cookie name', { salt: 'app' }, { cookieName: 'app' }],
    ['for the cookie name of NextAuth.js 4, which an app may keep', { salt: 'next-auth.session-token' }],
    ['under the oldest of four secrets', {}, {}, [OTHER, `${OTHER}2`, `${OTHER}3`, SECRET]],
    ['under the newest of several secrets', { secret: [OTHER, SECRET] }, {}, [OTHER, SECRET]],
    ['with a long token', { token: { padding: 'x'.repeat(5000) } }],
  ];
  for (const [kind, session, auth, ring] of accepted) {
    it(`is accepted ${kind}`, async () => {
      expect(await verify(await sessionOf(session), auth, ring)).to.include(ADA);
    });
  }

  const refused: [kind: string, session: Session, auth?: Partial<SourceSettings>][] = [
    ['under another secret', { secret: OTHER }],
    ['for another Auth.js cookie', { salt: 'authjs.pkce.code_verifier' }],
    ['for the standard name, if another one is configured', {}, { cookieName: 'app' }],
    ['for a name that is not configured', { salt: 'app' }],
    ['after it has expired', { maxAge: -60 }],
    ['without an email', { token: { email: undefined } }],
    ['with an email that is null', { token: { email: null } }],
    ['before its nbf', { token: { nbf: inSeconds(86_400) } }],
  ];
  for (const [kind, session, auth] of refused) {
    it(`is refused ${kind}`, async () => {
      expect(await refusalOf(verify(await sessionOf(session), auth))).to.be.instanceOf(InvalidToken);
    });
  }

  it('is refused if its email is unverified', async () => {
    const session = await sessionOf({ token: { email_verified: false } });
    expect(await refusalOf(verify(session))).to.be.instanceOf(EmailUnverified);
  });

  it('may be encrypted with A256GCM, which Auth.js also decrypts', async () => {
    expect(await verify(await forgeSession({ enc: 'A256GCM' }))).to.include(ADA);
  });

  it('may have no kid', async () => {
    expect(await verify(await forgeSession())).to.include(ADA);
    expect(await verify(await forgeSession(), {}, [OTHER, SECRET])).to.include(ADA);
  });

  it('is checked only with the key that its kid names', async () => {
    const { kid } = decodeProtectedHeader(await sessionOf({ secret: OTHER }));
    const token = await forgeSession({ kid });
    for (const ring of [[SECRET], [OTHER], [OTHER, SECRET]] as KeyRing[]) {
      expect(await refusalOf(verify(token, {}, ring))).to.be.instanceOf(InvalidToken);
    }
  });

  const NO_KEY = 'no configured key matches the token';
  const NO_TOKEN = 'the token is neither a compact JWS nor a compact JWE';
  const NO_CLAIMS = 'JWT Claims Set must be a top-level JSON object';
  const hostile: [defect: string, token: () => Promise<string>, reason: string][] = [
    ['has no exp', () => forgeSession({}, { exp: undefined }), 'missing required "exp" claim'],
    ['is encrypted with A128CBC-HS256', () => encryptWith('A128CBC-HS256', 32), NO_KEY],
    ['is encrypted with A192GCM', () => encryptWith('A192GCM', 24), NO_KEY],
    ['is encrypted with A128GCM', () => encryptWith('A128GCM', 16), NO_KEY],
    ['is compressed', () => forgeSession({ zip: 'DEF' }), 'the header must not have "zip"'],
    [
      'has critical headers',
      () => forgeSession({ crit: ['exp'], exp: inSeconds(60) }),
      'the header must not have "crit"',
    ],
    ['contains another token', () => forgeSession({ cty: 'JWT' }), 'the header must not have "cty"'],
    [
      'supplies its own key',
      () => forgeSession({ jwk: { kty: 'oct', k: 'AAAA' } }),
      'the header must not have "jwk"',
    ],
    ['has a wrapped key', () => encryptWithWrappedKey(), NO_TOKEN],
    ['has a key derived from a password', () => encryptWithPassword(), NO_TOKEN],
    ['is not JSON', () => encryptText('hello'), NO_CLAIMS],
    ['is a list', () => encryptText('["ada@example.com"]'), NO_CLAIMS],
    ['contains another token without a cty header', async () => encryptText(await sessionOf()), NO_CLAIMS],
    ['has an empty last part', async () => (await sessionOf()).replace(/[^.]+$/, ''), NO_TOKEN],
    ['lacks a part', async () => (await sessionOf()).replace(/\.[^.]+$/, ''), NO_TOKEN],
    ['has an extra part', async () => `${await sessionOf()}.AAAA`, NO_TOKEN],
    ['has an encrypted key', async () => (await sessionOf()).replace('..', '.AAAA.'), NO_TOKEN],
    [
      'has the header of another token',
      async () => (await sessionOf()).replace(/^[^.]+/, await makeHeader('A256GCM')),
      'Invalid Authentication Tag length',
    ],
    ['is truncated, as if a chunk were missing', async () => (await sessionOf()).slice(0, 300), NO_TOKEN],
  ];
  for (const [defect, token, reason] of hostile) {
    it(`is refused if it ${defect}`, async () => {
      const refusal = await refusalOf(verify(await token()));
      expect(refusal).to.be.instanceOf(InvalidToken);
      expect((refusal as Error).message).to.equal(reason);
    });
  }

  it('is refused if one bit after its header is flipped', async () => {
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
    expect(await verifier.verify(whole)).to.include(ADA);
  });
});

const claims = () => new EncryptJWT({ ...ADA, exp: inSeconds(60) });

function encryptWith(enc: string, length: number): Promise<string> {
  return claims().setProtectedHeader({ alg: 'dir', enc }).encrypt(deriveKey(SECRET, length));
}

function encryptWithWrappedKey(): Promise<string> {
  return claims().setProtectedHeader({ alg: 'A256KW', enc: 'A256GCM' }).encrypt(deriveKey(SECRET, 32));
}

function encryptWithPassword(): Promise<string> {
  return claims()
    .setProtectedHeader({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM' })
    .encrypt(Buffer.from(SECRET));
}

function encryptText(text: string): Promise<string> {
  return new CompactEncrypt(Buffer.from(text))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(deriveKey(SECRET, 32));
}

async function makeHeader(enc: string): Promise<string> {
  return (await forgeSession({ enc })).split('.')[0] ?? '';
}
