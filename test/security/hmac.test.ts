import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { SECRET_ISSUER, signHs256 } from '../../src/security/hmac.ts';
import type { KeyRing } from '../../src/security/key-ring.ts';
import { EmailUnverified, InvalidToken } from '../../src/security/token.ts';
import { tokenVerifier } from '../../src/security/verifier.ts';
import { SECRET, sources } from '../support/app.ts';
import { refusalOf } from '../support/problem.ts';
import { forge } from '../support/tokens.ts';

/** The fixed time of the test clock, in seconds since 1970. */
const NOW = 1_700_000_000;

const at = (seconds: number) => () => new Date(seconds * 1000);

/** Verifies a token with these secrets. */
async function verify(token: string, { ring, now }: { ring?: KeyRing; now?: () => Date } = {}) {
  const verifier = await tokenVerifier(sources({}, ring), now && { now });
  return verifier.verify(token);
}

describe('the verifier', () => {
  const cases: [kind: string, claims: Record<string, unknown>, accepted: boolean][] = [
    ['is valid for one more second', { exp: NOW + 1 }, true],
    ['expired this second', { exp: NOW }, true],
    ['expired 14 seconds ago', { exp: NOW - 14 }, true],
    ['expired 15 seconds ago', { exp: NOW - 15 }, false],
    ['has its nbf in 15 seconds', { exp: NOW + 60, nbf: NOW + 15 }, true],
    ['has its nbf in 16 seconds', { exp: NOW + 60, nbf: NOW + 16 }, false],
    ['was issued 15 seconds from now', { exp: NOW + 60, iat: NOW + 15 }, true],
    ['was issued 16 seconds from now', { exp: NOW + 60, iat: NOW + 16 }, false],
    ['has an iat that is not a number', { exp: NOW + 60, iat: 'now' }, false],
    ['expires before its nbf', { exp: NOW - 60, nbf: NOW + 60 }, false],
  ];
  for (const [kind, claims, accepted] of cases) {
    it(`${accepted ? 'accepts' : 'refuses'} a token that ${kind}`, async () => {
      const checked = verify(forge({ claims }), { now: at(NOW) });
      if (accepted) expect(await checked).to.include({ email: 'ada@example.com' });
      else expect(await refusalOf(checked)).to.be.instanceOf(InvalidToken);
    });
  }

  it('reads its clock for each token', async () => {
    let seconds = NOW;
    const verifier = await tokenVerifier(sources(), { now: () => new Date(seconds * 1000) });
    const token = forge({ claims: { exp: NOW + 60 } });
    expect(await verifier.verify(token)).to.include({ email: 'ada@example.com' });
    seconds += 120;
    expect(await refusalOf(verifier.verify(token))).to.be.instanceOf(InvalidToken);
  });

  it('returns the email and name unchanged, and who says so', async () => {
    const claims = { email: ' Ada@Example.COM', name: 'Ada', role: 'admin', sub: '1', picture: 'x' };
    const ada = { issuer: SECRET_ISSUER, subject: '1', emailVerified: false };
    expect(await verify(forge({ claims }))).to.deep.equal({ ...ada, email: ' Ada@Example.COM', name: 'Ada' });
    for (const name of ['', 42, null, ['Ada'], undefined]) {
      const identity = await verify(forge({ claims: { name, sub: '1' } }));
      expect(identity).to.deep.equal({ ...ada, email: 'ada@example.com' });
    }
  });

  for (const [claims, issuer, subject] of [
    [{}, SECRET_ISSUER, undefined],
    [{ iss: '', sub: '' }, SECRET_ISSUER, undefined],
    [{ iss: 'https://id.example.com', sub: 'Ada' }, 'https://id.example.com', 'Ada'],
    [{ iss: 7, sub: 7 }, SECRET_ISSUER, '7'],
    [{ iss: {}, sub: {} }, SECRET_ISSUER, undefined],
    [{ sub: 1e300 }, SECRET_ISSUER, undefined],
    [{ sub: null }, SECRET_ISSUER, undefined],
  ] as const) {
    it(`names ${issuer} and ${subject} for the claims ${JSON.stringify(claims)}`, async () => {
      expect(await verify(forge({ claims }))).to.include({ issuer, subject });
    });
  }

  it('reads the email only from the configured claim', async () => {
    const emailClaim = 'https://example.com/email';
    const verifier = await tokenVerifier(sources({ emailClaims: [emailClaim] }));
    const token = await signHs256(SECRET, 'ada@example.com', '1h', emailClaim);
    expect(await verifier.verify(token)).to.include({ email: 'ada@example.com' });
    expect(await refusalOf(verifier.verify(forge()))).to.be.instanceOf(InvalidToken);
    for (const name of ['constructor', '__proto__', 'toString']) {
      const { verify } = await tokenVerifier(sources({ emailClaims: [name] }));
      expect(await refusalOf(verify(forge()))).to.be.instanceOf(InvalidToken);
    }
  });

  for (const [verified, accepted] of [
    [true, true],
    ['true', true],
    [undefined, true],
    [false, false],
    ['false', false],
    [null, false],
    [0, false],
    ['', false],
    [{}, false],
  ] as const) {
    it(`${accepted ? 'accepts' : 'refuses'} an email_verified of ${JSON.stringify(verified)}`, async () => {
      const claims = { email_verified: verified, 'https://example.com/email': 'ada@example.com' };
      for (const emailClaim of ['email', 'https://example.com/email']) {
        const verifier = await tokenVerifier(sources({ emailClaims: [emailClaim] }));
        const refusal = await refusalOf(verifier.verify(forge({ claims })));
        if (accepted) expect(refusal).to.equal(undefined);
        else expect(refusal).to.be.instanceOf(EmailUnverified);
      }
    });
  }

  it('refuses an invalid token before it reports an unverified email', async () => {
    const claims = { email_verified: false };
    for (const token of [forge({ claims, secret: 'x' }), forge({ claims: { ...claims, exp: 1 } })]) {
      expect(await refusalOf(verify(token))).to.be.instanceOf(InvalidToken);
    }
  });

  it('accepts tokens made with each secret of the ring, and no others', async () => {
    const ring: KeyRing = ['4', '3', '2', '1'].map((digit) => digit.repeat(32)) as [string];
    for (const secret of ring) {
      expect(await verify(forge({ secret }), { ring })).to.include({ email: 'ada@example.com' });
    }
    expect(await refusalOf(verify(forge({ secret: '5'.repeat(32) }), { ring }))).to.be.instanceOf(
      InvalidToken,
    );
    const expired = await refusalOf(verify(forge({ secret: ring[3] ?? '', claims: { exp: 1 } }), { ring }));
    expect((expired as Error).message).to.equal('"exp" claim timestamp check failed');
  });

  it('accepts a secret of any characters and distinguishes similar secrets', async () => {
    for (const [secret, other] of [
      ['é💚'.repeat(8), 'é💙'.repeat(8)],
      ['x'.repeat(64), 'x'.repeat(65)],
      ['y'.repeat(200), 'y'.repeat(199)],
    ] as const) {
      const token = await signHs256(secret, 'ada@example.com', '1h');
      expect(await verify(token, { ring: [secret] })).to.include({ email: 'ada@example.com' });
      expect(await refusalOf(verify(token, { ring: [other] }))).to.be.instanceOf(InvalidToken);
    }
  });

  it('refuses a token that is longer than 16 KiB', async () => {
    const good = forge({ claims: { padding: 'x'.repeat(16_384) } });
    const refusal = await refusalOf(verify(good));
    expect(refusal).to.be.instanceOf(InvalidToken);
    expect((refusal as Error).message).to.equal('the token is too long');
  });

  it('refuses a token if one bit of its signature is flipped', async () => {
    const [header, payload, signature = ''] = forge().split('.');
    const bytes = Buffer.from(signature, 'base64url');
    const verifier = await tokenVerifier(sources());
    for (let bit = 0; bit < 256; bit++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const token = `${header}.${payload}.${changed.toString('base64url')}`;
      expect(await refusalOf(verifier.verify(token)), `bit ${bit}`).to.be.instanceOf(InvalidToken);
    }
  });
});

describe('the signer', () => {
  it('signs tokens that the verifier accepts', async () => {
    const token = await signHs256(SECRET, 'ada@example.com', '1m');
    expect(await verify(token)).to.include({ email: 'ada@example.com' });
  });

  it('sets only the necessary header and claims', async () => {
    const token = await signHs256(SECRET, 'ada@example.com', '1h');
    expect(decodeProtectedHeader(token)).to.deep.equal({ alg: 'HS256' });
    expect(decodeJwt(token)).to.have.all.keys('email', 'iat', 'exp');
  });

  for (const [ttl, seconds] of [
    ['30s', 30],
    ['15m', 900],
    ['1h', 3600],
    ['7d', 604_800],
    ['7 days', 604_800],
  ] as const) {
    it(`signs tokens that expire after ${ttl}`, async () => {
      const { iat = 0, exp = 0 } = decodeJwt(await signHs256(SECRET, 'ada@example.com', ttl));
      expect(exp - iat).to.equal(seconds);
    });
  }

  for (const ttl of ['', 'soon', '1', '1x', '1h30m', 'h1', 'Infinity']) {
    it(`refuses the time span ${JSON.stringify(ttl)}`, async () => {
      expect(await refusalOf(signHs256(SECRET, 'ada@example.com', ttl))).to.be.instanceOf(TypeError);
    });
  }
});
