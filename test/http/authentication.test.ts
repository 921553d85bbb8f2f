import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { EncryptJWT, SignJWT } from 'jose';
import { mintServiceToken } from '../../src/security/service-token.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { sendRaw } from '../support/raw-http.ts';
import { forge, inSeconds, part } from '../support/tokens.ts';

const GOOD = forge();
const [HEADER = '', PAYLOAD = '', SIGNATURE = ''] = GOOD.split('.');

const NO_TOKEN = 'Bearer';
const INVALID_TOKEN = 'Bearer error="invalid_token"';

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
    ['the scheme is not Bearer', `Basic ${Buffer.from('ada@example.com:x').toString('base64')}`],
    ['the scheme only begins with Bearer', `Bearers ${GOOD}`],
    ['the scheme is missing', GOOD],
    ['there is only a scheme', 'Bearer'],
    ['there is only a scheme and a space', 'Bearer '],
    ['the scheme comes after the token', `${GOOD} Bearer`],
    ['the token is a parameter', `Bearer=${GOOD}`],
  ];
  for (const [what, authorization] of missing) {
    it(`asks for credentials with 401 when ${what}`, async () => {
      const response = await (authorization === undefined ? app.call('/v1/me') : callWith(authorization));
      expect(response.headers.get('www-authenticate')).to.equal(NO_TOKEN);
      const { detail } = await expectProblem(response, 401, 'unauthenticated');
      expect(detail).to.equal('Send a valid bearer token or session cookie.');
    });
  }

  const refused: [what: string, token: string | (() => string | Promise<string>), cause?: string][] = [
    ['is garbage', 'garbage'],
    ['is only dots', '..'],
    ['has two parts', `${HEADER}.${PAYLOAD}`],
    ['has four parts', `${GOOD}.${SIGNATURE}`],
    ['is repeated', `${GOOD} ${GOOD}`],
    ['is followed by a comma and another token', `${GOOD},${GOOD}`],
    ['is followed by parameters', `${GOOD}, realm="x"`],
    ['is in quotes', `"${GOOD}"`],
    ['expired longer ago than the clock tolerance', () => forge({ claims: { exp: inSeconds(-17) } })],
    ['is not valid yet', () => forge({ claims: { nbf: inSeconds(60) } })],
    ['has no exp', forge({ claims: { exp: undefined } })],
    ['has an exp that is a string', forge({ claims: { exp: '2100-01-01' } })],
    ['has an exp that is null', forge({ claims: { exp: null } })],
    [
      'was issued in the future',
      () => forge({ claims: { iat: inSeconds(60) } }),
      '"iat" claim timestamp check failed',
    ],
    ['has an iat that is not a number', forge({ claims: { iat: 'now' } })],
    ['has an nbf that is not a number', forge({ claims: { nbf: 'now' } })],
    ['has no email', forge({ claims: { email: undefined } })],
    ['has an email that is null', forge({ claims: { email: null } })],
    ['has an email that is a number', forge({ claims: { email: 42 } })],
    ['has an email that is an empty list', forge({ claims: { email: [] } })],
    ['has an email that is a list of numbers', forge({ claims: { email: [1, 'ada@example.com'] } })],
    ['has an email that is an object', forge({ claims: { email: { $ne: '' } } })],
    ['has an empty email', forge({ claims: { email: '' } })],
    ['is signed with another secret', forge({ secret: `${SECRET}!` })],
    ['is signed with an empty secret', forge({ secret: '' })],
    [
      'has alg none and no signature',
      `${part({ alg: 'none' })}.${PAYLOAD}.`,
      'the token is neither a compact JWS nor a compact JWE',
    ],
    [
      'has alg none and a signature',
      forge({ header: { alg: 'none' } }),
      'no configured source uses this "alg"',
    ],
    ['has alg None', forge({ header: { alg: 'None' } }), 'no configured source uses this "alg"'],
    ['has no alg', forge({ header: { alg: undefined } }), 'no configured source uses this "alg"'],
    [
      'is signed with HS512 under another secret',
      forge({ header: { alg: 'HS512' }, secret: 'x'.repeat(64) }),
    ],
    ['says HS512 and is signed with HS256', `${part({ alg: 'HS512' })}.${PAYLOAD}.${SIGNATURE}`],
    [
      'has alg RS256 and an HMAC signature',
      forge({ header: { alg: 'RS256' } }),
      'the issuer is not configured',
    ],
    ['is signed with RS256', () => signedWithRsa()],
    [
      'carries its own key',
      forge({ header: { jwk: { kty: 'oct', k: 'AAAA' } }, secret: 'AAAA' }),
      'the header must not have "jwk"',
    ],
    [
      'links to its own key',
      forge({ header: { jku: 'https://evil.example.com/keys' } }),
      'the header must not have "jku"',
    ],
    [
      'links to its own certificate',
      forge({ header: { x5u: 'https://evil.example.com/cert' } }),
      'the header must not have "x5u"',
    ],
    ['carries its own certificate', forge({ header: { x5c: ['MIIB'] } }), 'the header must not have "x5c"'],
    ['is compressed', forge({ header: { zip: 'DEF' } }), 'the header must not have "zip"'],
    ['contains another token', forge({ header: { cty: 'JWT' } }), 'the header must not have "cty"'],
    [
      'has the type of a logout token',
      forge({ header: { typ: 'logout+jwt' } }),
      'the "typ" must be "JWT" or "at+jwt"',
    ],
    [
      'has a type that is not a string',
      forge({ header: { typ: ['JWT'] } }),
      'the "typ" must be "JWT" or "at+jwt"',
    ],
    ['has a kid that is a number', forge({ header: { kid: 1 } }), 'the "kid" must be a string'],
    [
      'has a kid that is an SQL injection',
      forge({ header: { kid: "' or 1=1 --" }, secret: '' }),
      'signature verification failed',
    ],
    [
      'has a kid that is a path',
      forge({ header: { kid: '/dev/null' }, secret: '\0' }),
      'signature verification failed',
    ],
    [
      'has an alg that is a list',
      forge({ header: { alg: ['HS256'] } }),
      'no configured source uses this "alg"',
    ],
    [
      'has an alg that is a property of every object',
      forge({ header: { alg: 'constructor' } }),
      'no configured source uses this "alg"',
    ],
    [
      'is in flattened JSON serialization',
      JSON.stringify({ protected: HEADER, payload: PAYLOAD, signature: SIGNATURE }),
      'the token is neither a compact JWS nor a compact JWE',
    ],
    [
      'is in general JSON serialization',
      JSON.stringify({ payload: PAYLOAD, signatures: [{ protected: HEADER, signature: SIGNATURE }] }),
    ],
    ['has a header that is null', `${part(null)}.${PAYLOAD}.${SIGNATURE}`],
    ['has a header that is not JSON', `${'A'.repeat(12)}.${PAYLOAD}.${SIGNATURE}`],
    ['has an empty critical header', forge({ header: { crit: [] } }), 'the header must not have "crit"'],
    [
      'has an unknown critical header',
      forge({ header: { crit: ['x'], x: 1 } }),
      'the header must not have "crit"',
    ],
    [
      'has an unencoded payload',
      forge({ header: { crit: ['b64'], b64: false } }),
      'the header must not have "crit"',
    ],
    ['is encrypted under the right secret', () => encrypted()],
    ['is longer than 16 KiB', forge({ claims: { padding: 'x'.repeat(12_300) } }), 'the token is too long'],
    [
      'has a replaced payload',
      `${HEADER}.${part({ email: 'eve@example.com', exp: inSeconds(60) })}.${SIGNATURE}`,
    ],
    ['has a replaced header', `${part({ alg: 'HS256', typ: 'JWT' })}.${PAYLOAD}.${SIGNATURE}`],
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
    ['has a space in its signature', `${GOOD.slice(0, -4)} ${GOOD.slice(-4)}`],
    ['contains an encoded null character', `${GOOD.slice(0, -4)}%00${GOOD.slice(-4)}`],
  ];
  for (const [what, given, reason] of refused) {
    it(`answers the same 401 when the token ${what}`, async () => {
      const token = typeof given === 'string' ? given : await given();
      const response = await callWith(`Bearer ${token}`);
      expect(response.headers.get('www-authenticate')).to.equal(INVALID_TOKEN);
      const { detail, requestId } = await expectProblem(response, 401, 'unauthenticated');
      expect(detail).to.equal('Send a valid bearer token or session cookie.');

      const [cause, ...others] = app.log.filter(({ msg }) => msg === 'token refused');
      expect(cause).to.include({ requestId, level: 30 });
      if (reason === undefined) expect(cause?.['cause']).to.be.a('string').that.is.not.empty;
      else expect(cause?.['cause']).to.equal(reason);
      expect(others).to.deep.equal([]);
      const log = JSON.stringify(app.log);
      for (const secret of token.split(/[^\w-]+/).filter(({ length }) => length > 10)) {
        expect(log).not.to.include(secret);
      }
    });
  }

  it('takes at least 20 ms to refuse credentials, whatever is wrong with them', async () => {
    const { token } = mintServiceToken();
    const session = 'authjs.session-token=x';
    for (const headers of [
      { Authorization: `Bearer ${forge({ secret: 'another secret' })}` },
      { Authorization: 'Bearer rc_nonsense' },
      { Authorization: `Bearer ${token}` },
      { Cookie: session },
      { Cookie: `${session}; ${session}` },
    ]) {
      const began = performance.now();
      const response = await app.call('/v1/me', { headers });
      expect(performance.now() - began).to.be.at.least(20);
      expect(response.headers.get('www-authenticate')).to.equal(INVALID_TOKEN);
      await expectProblem(response, 401, 'unauthenticated');
    }
  });

  it('logs why a token was refused, and does not tell the caller', async () => {
    await callWith(`Bearer ${forge({ claims: { exp: inSeconds(-3600) } })}`);
    await callWith(`Bearer ${forge({ secret: 'another secret' })}`);
    expect(app.log.flatMap(({ cause }) => cause ?? [])).to.deep.equal([
      '"exp" claim timestamp check failed',
      'signature verification failed',
    ]);
  });

  const accepted: [what: string, authorization: () => string][] = [
    ['a valid token', () => `Bearer ${GOOD}`],
    ['a scheme in mixed case', () => `bEARER ${GOOD}`],
    ['several spaces before the token', () => `Bearer    ${GOOD}`],
    ['a token that expired just now', () => `Bearer ${forge({ claims: { exp: inSeconds(-10) } })}`],
    ['an nbf slightly ahead of the clock', () => `Bearer ${forge({ claims: { nbf: inSeconds(10) } })}`],
    ['unused claims', () => `Bearer ${forge({ claims: { sub: 7, aud: ['x'], iss: 'y' } })}`],
    ['the type JWT', () => `Bearer ${forge({ header: { typ: 'JWT' } })}`],
    ['the type of an access token', () => `Bearer ${forge({ header: { typ: 'at+jwt' } })}`],
    ['an unneeded key id', () => `Bearer ${forge({ header: { kid: 'x' } })}`],
    ['an iat slightly ahead of the clock', () => `Bearer ${forge({ claims: { iat: inSeconds(10) } })}`],
    ['a token of almost 16 KiB', () => `Bearer ${forge({ claims: { padding: 'x'.repeat(12_100) } })}`],
    ['a token signed with HS384', () => `Bearer ${forge({ header: { alg: 'HS384' } })}`],
    ['a token signed with HS512', () => `Bearer ${forge({ header: { alg: 'HS512' } })}`],
    [
      'an email in a list',
      () => `Bearer ${forge({ claims: { email: ['ada@example.com', 'eve@example.com'] } })}`,
    ],
  ];
  for (const [what, authorization] of accepted) {
    it(`accepts ${what}`, async () => {
      const response = await callWith(authorization());
      expect(response.status).to.equal(200);
      expect(response.headers.has('www-authenticate')).to.equal(false);
    });
  }

  it('answers 403 account_required to a valid token without an account', async () => {
    for (const email of ['nobody@example.com', 'not an email', `${'x'.repeat(5000)}@example.com`]) {
      const response = await app.call('/v1/me', { as: email });
      expect(response.headers.has('www-authenticate')).to.equal(false);
      await expectProblem(response, 403, 'account_required');
    }
  });

  it('answers 403 email_unverified to a valid token whose issuer marks the email as unverified', async () => {
    const token = forge({ claims: { email_verified: false } });
    const response = await callWith(`Bearer ${token}`);
    expect(response.headers.has('www-authenticate')).to.equal(false);
    await expectProblem(response, 403, 'email_unverified');
  });

  it('accepts no token from the query string or the body', async () => {
    for (const name of ['access_token', 'token', 'id_token', 'authjs.session-token']) {
      const response = await app.call(`/v1/me?${name}=${GOOD}`);
      expect(response.headers.get('www-authenticate')).to.equal(NO_TOKEN);
      await expectProblem(response, 401, 'unauthenticated');
    }
    const response = await app.call('/v1/me', {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ access_token: GOOD }),
    });
    await expectProblem(response, 401, 'unauthenticated');
    expect(JSON.stringify(app.log)).not.to.include(SIGNATURE);
  });

  it('refuses two Authorization headers, whichever of them is valid', async () => {
    for (const [first, second] of [
      [GOOD, 'x'],
      ['x', GOOD],
      [GOOD, GOOD],
    ]) {
      const answer = await sendRaw(
        app.url,
        `GET /v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${first}\r\nAuthorization: Bearer ${second}\r\n\r\n`,
      );
      expect(answer).to.match(/^HTTP\/1\.1 401 /);
    }
  });

  it('applies the current status and role of the account to a token accepted before', async () => {
    const headers = { Authorization: `Bearer ${GOOD}` };
    expect((await app.call('/v1/me', { headers })).status).to.equal(200);
    await app.database.query("update users set status = 'suspended'");
    await expectProblem(await app.call('/v1/me', { headers }), 403, 'account_suspended');
    await app.database.query("update users set status = 'active', role = 'admin'");
    expect((await app.call('/v1/users', { headers })).status).to.equal(200);
    await app.database.query("update users set role = 'user'");
    await expectProblem(await app.call('/v1/users', { headers }), 403, 'forbidden');
  });

  it('is skipped at public endpoints, even with an invalid token', async () => {
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
