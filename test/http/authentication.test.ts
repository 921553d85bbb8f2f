import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { EncryptJWT, SignJWT } from 'jose';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { forge, inSeconds, part } from '../support/tokens.ts';

const GOOD = forge();
const [HEADER = '', PAYLOAD = '', SIGNATURE = ''] = GOOD.split('.');

const NONE = 'Bearer';
const REFUSED = 'Bearer error="invalid_token"';

describe('authentication', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp();
    await addAccount(app.database, 'ada@example.com');
  });

  after(() => app.close());

  beforeEach(() => {
    app.log.length = 0;
  });

  const callWith = (authorization: string) =>
    app.call('/v1/me', { headers: { Authorization: authorization } });

  const missing: [what: string, authorization: string | undefined][] = [
    ['there is no Authorization header', undefined],
    ['the header is empty', ''],
    ['the scheme is another one', `Basic ${Buffer.from('ada@example.com:x').toString('base64')}`],
    ['the scheme is another one that begins alike', `Bearers ${GOOD}`],
    ['the scheme is missing', GOOD],
    ['there is a scheme and nothing else', 'Bearer'],
    ['there is a scheme and a blank', 'Bearer '],
  ];
  for (const [what, authorization] of missing) {
    it(`is asked for with 401 when ${what}`, async () => {
      const response = await (authorization === undefined ? app.call('/v1/me') : callWith(authorization));
      expect(response.headers.get('www-authenticate')).to.equal(NONE);
      const { detail } = await expectProblem(response, 401, 'unauthenticated');
      expect(detail).to.equal('This needs a valid bearer token.');
    });
  }

  const refused: [what: string, token: string | (() => string | Promise<string>)][] = [
    ['is garbage', 'garbage'],
    ['is dots', '..'],
    ['has two parts', `${HEADER}.${PAYLOAD}`],
    ['has four parts', `${GOOD}.${SIGNATURE}`],
    ['comes twice', `${GOOD} ${GOOD}`],
    ['comes with another one behind a comma', `${GOOD},${GOOD}`],
    ['comes with parameters', `${GOOD}, realm="x"`],
    ['is in quotes', `"${GOOD}"`],
    ['expired longer ago than clocks may differ', () => forge({ claims: { exp: inSeconds(-17) } })],
    ['is not valid yet', () => forge({ claims: { nbf: inSeconds(60) } })],
    ['has no exp', forge({ claims: { exp: undefined } })],
    ['has an exp that is a string', forge({ claims: { exp: '2100-01-01' } })],
    ['has an exp that is null', forge({ claims: { exp: null } })],
    ['has an nbf that is no number', forge({ claims: { nbf: 'now' } })],
    ['has no email', forge({ claims: { email: undefined } })],
    ['has an email that is null', forge({ claims: { email: null } })],
    ['has an email that is a number', forge({ claims: { email: 42 } })],
    ['has an email that is a list', forge({ claims: { email: ['ada@example.com'] } })],
    ['has an email that is an object', forge({ claims: { email: { $ne: '' } } })],
    ['has an empty email', forge({ claims: { email: '' } })],
    ['is signed with another secret', forge({ secret: `${SECRET}!` })],
    ['is signed with an empty secret', forge({ secret: '' })],
    ['says alg none, and has no signature', `${part({ alg: 'none' })}.${PAYLOAD}.`],
    ['says alg none, and has a signature', forge({ header: { alg: 'none' } })],
    ['says alg None', forge({ header: { alg: 'None' } })],
    ['says no alg', forge({ header: { alg: undefined } })],
    ['is signed with HS512 under the right secret', forge({ header: { alg: 'HS512' } })],
    ['is signed with HS384 under the right secret', forge({ header: { alg: 'HS384' } })],
    ['says RS256 over an HMAC', forge({ header: { alg: 'RS256' } })],
    ['is signed with RS256', () => signedWithRsa()],
    ['brings its own key along', forge({ header: { jwk: { kty: 'oct', k: 'AAAA' } }, secret: 'AAAA' })],
    ['has a critical header that nobody knows', forge({ header: { crit: ['x'], x: 1 } })],
    ['has an unencoded payload', forge({ header: { crit: ['b64'], b64: false } })],
    ['is encrypted under the right secret', () => encrypted()],
    ['is longer than 8 KiB', forge({ claims: { padding: 'x'.repeat(8192) } })],
    [
      'has another payload',
      `${HEADER}.${part({ email: 'eve@example.com', exp: inSeconds(60) })}.${SIGNATURE}`,
    ],
    ['has another header', `${part({ alg: 'HS256', typ: 'JWT' })}.${PAYLOAD}.${SIGNATURE}`],
    ['has no signature', `${HEADER}.${PAYLOAD}.`],
    ['has half a signature', `${HEADER}.${PAYLOAD}.${SIGNATURE.slice(0, 20)}`],
    [
      'has a payload that is not JSON',
      `${HEADER}.${Buffer.from('hello').toString('base64url')}.${SIGNATURE}`,
    ],
    ['has a payload that is a list', `${HEADER}.${part(['ada@example.com'])}.${SIGNATURE}`],
    ['has trailing bytes', `${GOOD}AAAA`],
    ['has trailing padding', `${GOOD}=`],
    ['has a trailing dot', `${GOOD}.`],
    ['has a blank in its signature', `${GOOD.slice(0, -4)} ${GOOD.slice(-4)}`],
    ['has a null character in it', `${GOOD.slice(0, -4)}%00${GOOD.slice(-4)}`],
  ];
  for (const [what, made] of refused) {
    it(`is refused with 401, always the same, when the token ${what}`, async () => {
      const token = typeof made === 'string' ? made : await made();
      const response = await callWith(`Bearer ${token}`);
      expect(response.headers.get('www-authenticate')).to.equal(REFUSED);
      const { detail, requestId } = await expectProblem(response, 401, 'unauthenticated');
      expect(detail).to.equal('This needs a valid bearer token.');

      const [cause, ...others] = app.log.filter(({ msg }) => msg === 'token refused');
      expect(cause).to.include({ requestId, level: 30 });
      expect(cause?.['cause']).to.be.a('string').that.is.not.empty;
      expect(others).to.deep.equal([]);
      const log = JSON.stringify(app.log);
      for (const secret of token.split(/[^\w-]+/).filter(({ length }) => length > 10)) {
        expect(log).not.to.include(secret);
      }
    });
  }

  it('tells the log, and nobody else, why a token was refused', async () => {
    await callWith(`Bearer ${forge({ claims: { exp: inSeconds(-3600) } })}`);
    await callWith(`Bearer ${forge({ secret: 'another secret' })}`);
    expect(app.log.flatMap(({ cause }) => cause ?? [])).to.deep.equal([
      '"exp" claim timestamp check failed',
      'signature verification failed',
    ]);
  });

  const accepted: [what: string, authorization: () => string][] = [
    ['a token that is good', () => `Bearer ${GOOD}`],
    ['a scheme in other letters', () => `bEARER ${GOOD}`],
    ['several blanks before the token', () => `Bearer    ${GOOD}`],
    ['a token that expired just now', () => `Bearer ${forge({ claims: { exp: inSeconds(-10) } })}`],
    ['a token from a clock that is ahead', () => `Bearer ${forge({ claims: { nbf: inSeconds(10) } })}`],
    ['claims that nobody asked for', () => `Bearer ${forge({ claims: { sub: 7, aud: ['x'], iss: 'y' } })}`],
    ['a token of almost 8 KiB', () => `Bearer ${forge({ claims: { padding: 'x'.repeat(6000) } })}`],
  ];
  for (const [what, authorization] of accepted) {
    it(`accepts ${what}`, async () => {
      const response = await callWith(authorization());
      expect(response.status).to.equal(200);
      expect(response.headers.has('www-authenticate')).to.equal(false);
    });
  }

  it('answers 403 account_required to a good token of somebody without an account', async () => {
    for (const email of ['nobody@example.com', 'not an email', `${'x'.repeat(5000)}@example.com`]) {
      const response = await app.call('/v1/me', { as: email });
      expect(response.headers.has('www-authenticate')).to.equal(false);
      await expectProblem(response, 403, 'account_required');
    }
  });

  it('is not asked of those who call a public endpoint, nor looked at', async () => {
    const response = await app.call('/healthz', { headers: { Authorization: 'Bearer garbage' } });
    expect(response.status).to.equal(200);
  });
});

function signedWithRsa(): Promise<string> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return new SignJWT({ email: 'ada@example.com' })
    .setProtectedHeader({ alg: 'RS256' })
    .setExpirationTime('1h')
    .sign(privateKey);
}

function encrypted(): Promise<string> {
  return new EncryptJWT({ email: 'ada@example.com' })
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .setExpirationTime('1h')
    .encrypt(Buffer.from(SECRET).subarray(0, 32));
}
