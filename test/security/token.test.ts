import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { hs256Verifier, InvalidToken, signHs256 } from '../../src/security/token.ts';
import { SECRET } from '../support/app.ts';
import { forge } from '../support/tokens.ts';

/** The moment at which the tests' clock stands, as tokens have it. */
const NOW = 1_700_000_000;

const verifierAt = (seconds: number) => hs256Verifier(SECRET, () => new Date(seconds * 1000));

async function refusalOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('the verifier', () => {
  const cases: [what: string, claims: Record<string, unknown>, accepted: boolean][] = [
    ['is valid for one more second', { exp: NOW + 1 }, true],
    ['expired this second', { exp: NOW }, true],
    ['expired 14 seconds ago', { exp: NOW - 14 }, true],
    ['expired 15 seconds ago', { exp: NOW - 15 }, false],
    ['begins in 15 seconds', { exp: NOW + 60, nbf: NOW + 15 }, true],
    ['begins in 16 seconds', { exp: NOW + 60, nbf: NOW + 16 }, false],
    ['was issued in the future, which says nothing', { exp: NOW + 60, iat: NOW + 3600 }, true],
    ['expired before it began', { exp: NOW - 60, nbf: NOW + 60 }, false],
  ];
  for (const [what, claims, accepted] of cases) {
    it(`${accepted ? 'accepts' : 'refuses'} a token that ${what}`, async () => {
      const checked = verifierAt(NOW).verify(forge({ claims }));
      if (accepted) expect(await checked).to.deep.equal({ email: 'ada@example.com' });
      else expect(await refusalOf(checked)).to.be.instanceOf(InvalidToken);
    });
  }

  it('asks its clock anew for each token', async () => {
    let seconds = NOW;
    const verifier = hs256Verifier(SECRET, () => new Date(seconds * 1000));
    const token = forge({ claims: { exp: NOW + 60 } });
    expect(await verifier.verify(token)).to.deep.equal({ email: 'ada@example.com' });
    seconds += 120;
    expect(await refusalOf(verifier.verify(token))).to.be.instanceOf(InvalidToken);
  });

  it('says of a token no more than whom it speaks for, as the token has it', async () => {
    const token = forge({ claims: { email: ' Ada@Example.COM', role: 'admin', sub: '1', exp: NOW + 60 } });
    expect(await verifierAt(NOW).verify(token)).to.deep.equal({ email: ' Ada@Example.COM' });
  });

  it('takes a secret of any characters, and tells near ones apart', async () => {
    for (const [secret, other] of [
      ['é💚'.repeat(8), 'é💙'.repeat(8)],
      ['x'.repeat(64), 'x'.repeat(65)],
      ['y'.repeat(200), 'y'.repeat(199)],
    ] as const) {
      const token = await signHs256(secret, 'ada@example.com', '1h');
      expect(await hs256Verifier(secret).verify(token)).to.deep.equal({ email: 'ada@example.com' });
      expect(await refusalOf(hs256Verifier(other).verify(token))).to.be.instanceOf(InvalidToken);
    }
  });

  it('looks at no token that is longer than 8 KiB', async () => {
    const good = forge({ claims: { padding: 'x'.repeat(8192) } });
    const refusal = await refusalOf(hs256Verifier(SECRET).verify(good));
    expect(refusal).to.be.instanceOf(InvalidToken);
    expect((refusal as Error).message).to.equal('the token is too long');
  });

  it('refuses a token whose signature has any one bit changed', async () => {
    const [header, payload, signature = ''] = forge().split('.');
    const bytes = Buffer.from(signature, 'base64url');
    for (let bit = 0; bit < 256; bit++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const token = `${header}.${payload}.${changed.toString('base64url')}`;
      expect(await refusalOf(hs256Verifier(SECRET).verify(token)), `bit ${bit}`).to.be.instanceOf(
        InvalidToken,
      );
    }
  });
});

describe('the signer', () => {
  it('makes tokens that the verifier accepts', async () => {
    const token = await signHs256(SECRET, 'ada@example.com', '1m');
    expect(await hs256Verifier(SECRET).verify(token)).to.deep.equal({ email: 'ada@example.com' });
  });

  it('says in them what is needed and nothing more', async () => {
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
    it(`lets them live for ${ttl}`, async () => {
      const { iat = 0, exp = 0 } = decodeJwt(await signHs256(SECRET, 'ada@example.com', ttl));
      expect(exp - iat).to.equal(seconds);
    });
  }

  for (const ttl of ['', 'soon', '1', '1x', '1h30m', 'h1', 'Infinity']) {
    it(`does not know the time span ${JSON.stringify(ttl)}`, async () => {
      expect(await refusalOf(signHs256(SECRET, 'ada@example.com', ttl))).to.be.instanceOf(TypeError);
    });
  }
});
