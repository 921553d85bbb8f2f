import { hkdfSync, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { EncryptJWT, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { addAccount } from '../support/accounts.ts';
import { listedIssuer, SECRET, sources, startApp, type TestApp } from '../support/app.ts';
import { type KeyServer, serveKeys } from '../support/key-server.ts';
import { expectProblem } from '../support/problem.ts';
import { forge, inSeconds } from '../support/tokens.ts';

const ADA = { email: 'ada@example.com' };

describe('a source of tokens', () => {
  const opened: { close: () => Promise<void> }[] = [];

  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });

  const start = async (...options: Parameters<typeof sources>): Promise<TestApp> => {
    const app = await startApp({ sources: sources(...options) });
    opened.push(app);
    await addAccount(app.database, ADA.email);
    return app;
  };
  const serve = async (...keys: JWK[]): Promise<KeyServer> => {
    const server = await serveKeys({ keys });
    opened.push(server);
    return server;
  };
  const statusOf = async (app: TestApp, token: string) =>
    (await app.call('/v1/me', { headers: { Authorization: `Bearer ${token}` } })).status;
  const pairOf = async (alg: string) => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    return { privateKey, jwk: await exportJWK(publicKey) };
  };

  it('takes tokens for a client that have no audience, as those of Cognito, Clerk and WorkOS', async () => {
    const { privateKey, jwk } = await pairOf('RS256');
    const { url } = await serve(jwk);
    const issuer = 'https://id.example.com';
    const sign = (claims: object) =>
      new SignJWT({ ...ADA, iss: issuer, exp: inSeconds(60), jti: randomUUID(), ...claims })
        .setProtectedHeader({ alg: 'RS256' })
        .sign(privateKey);
    const single = await start({ issuer, jwksUrl: url, clients: ['web', 'app'] });
    const listed = await start({
      issuers: [listedIssuer({ issuer, jwksUrl: url, audience: ['api'], clients: ['web'] })],
    });
    for (const app of [single, listed]) {
      for (const claims of [{ client_id: 'web' }, { azp: 'web' }, { client_id: 'web', azp: 'web' }]) {
        expect(await statusOf(app, await sign(claims))).to.equal(200);
      }
      for (const claims of [
        {},
        { client_id: 'other' },
        { azp: ['web'] },
        { client_id: null },
        { client_id: 'web', azp: 'other' },
        // An audience is for others, whatever the client.
        { aud: 'another api', client_id: 'web' },
        { aud: [], client_id: 'web' },
      ]) {
        expect(await statusOf(app, await sign(claims)), JSON.stringify(claims)).to.equal(401);
      }
    }
    expect(await statusOf(listed, await sign({ aud: 'api' }))).to.equal(200);
    const without = await start({ issuer, jwksUrl: url, audience: ['api'] });
    expect(await statusOf(without, await sign({ client_id: 'web' }))).to.equal(401);
  });

  it('tries all keys of an issuer that names none', async () => {
    const pairs = await Promise.all(Array.from({ length: 3 }, () => pairOf('ES256')));
    const { url } = await serve(...pairs.map(({ jwk }) => jwk));
    const app = await start({ jwksUrl: url, audience: ['api'] });
    const stranger = await pairOf('ES256');
    for (const { privateKey } of [...pairs, stranger]) {
      const token = await new SignJWT({ ...ADA, aud: 'api', exp: inSeconds(60) })
        .setProtectedHeader({ alg: 'ES256' })
        .sign(privateKey);
      expect(await statusOf(app, token)).to.equal(privateKey === stranger.privateKey ? 401 : 200);
    }
  });

  it('asks an issuer that names no keys for new ones, once in a while', async () => {
    const [former, next] = [await pairOf('ES256'), await pairOf('ES256')];
    const keys = { keys: [former.jwk] };
    const server = await serveKeys(keys);
    opened.push(server);
    let ahead = 0;
    const app = await startApp({
      sources: sources({ jwksUrl: server.url, audience: ['api'] }),
      now: () => new Date(Date.now() + ahead),
    });
    opened.push(app);
    await addAccount(app.database, ADA.email);
    const sign = ({ privateKey }: typeof next) =>
      new SignJWT({ ...ADA, aud: 'api', exp: inSeconds(3600), jti: randomUUID() })
        .setProtectedHeader({ alg: 'ES256' })
        .sign(privateKey);
    expect(await statusOf(app, await sign(former))).to.equal(200);
    keys.keys = [next.jwk];
    for (let time = 0; time < 5; time++) expect(await statusOf(app, await sign(next))).to.equal(401);
    expect(server.asked()).to.equal(1);
    ahead = 11_000;
    expect(await statusOf(app, await sign(next))).to.equal(200);
    expect(await statusOf(app, await sign(former))).to.equal(401);
    expect(server.asked()).to.equal(2);
  });

  for (const name of [undefined, 'EdDSA', 'Ed25519']) {
    it(`takes EdDSA and Ed25519 for a key of ${name ?? 'no algorithm'}`, async () => {
      const { privateKey, jwk } = await pairOf('Ed25519');
      const { url } = await serve({ ...jwk, kid: 'key', ...(name && { alg: name }) });
      const app = await start({ jwksUrl: url, audience: ['api'] });
      for (const alg of ['EdDSA', 'Ed25519']) {
        const token = await new SignJWT({ ...ADA, aud: 'api', exp: inSeconds(60) })
          .setProtectedHeader({ alg, kid: 'key' })
          .sign(privateKey);
        expect(await statusOf(app, token), alg).to.equal(200);
      }
    });
  }

  describe('of NextAuth.js 4', () => {
    // As `encode` in `next-auth/src/jwt/index.ts` does.
    const sessionOf = (secret = SECRET, claims: object = { ...ADA, name: 'Ada', sub: '1' }) =>
      new EncryptJWT({ ...claims })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .setIssuedAt()
        .setExpirationTime('30d')
        .setJti(randomUUID())
        .encrypt(new Uint8Array(hkdfSync('sha256', secret, '', 'NextAuth.js Generated Encryption Key', 32)));
    const withCookie = (app: TestApp, Cookie: string) => app.call('/v1/me', { headers: { Cookie } });

    it('takes its sessions over HTTP and HTTPS, whole and in chunks, and as a bearer token', async () => {
      const app = await start();
      const session = await sessionOf();
      for (const name of ['next-auth.session-token', '__Secure-next-auth.session-token']) {
        expect((await withCookie(app, `${name}=${session}`)).status, name).to.equal(200);
        const long = await sessionOf(SECRET, { ...ADA, padding: 'x'.repeat(5_000) });
        const chunks = long.match(/.{1,3900}/g) ?? [];
        const cookies = chunks.map((chunk, index) => `${name}.${index}=${chunk}`).join('; ');
        expect((await withCookie(app, cookies)).status, name).to.equal(200);
      }
      expect(await statusOf(app, session)).to.equal(200);
    });

    it('refuses sessions under another secret, expired ones and those of another version in disguise', async () => {
      const app = await start();
      const name = 'next-auth.session-token';
      for (const session of [await sessionOf(`${SECRET}!`), `${(await sessionOf()).slice(0, -4)}AAAA`]) {
        await expectProblem(await withCookie(app, `${name}=${session}`), 401, 'unauthenticated');
      }
    });

    it('takes them under each secret of a rotation, and under a name of its own', async () => {
      const older = `${SECRET}, the older`;
      const app = await start({ cookieName: 'session' }, [SECRET, older]);
      for (const secret of [SECRET, older]) {
        expect((await withCookie(app, `session=${await sessionOf(secret)}`)).status).to.equal(200);
      }
    });
  });

  it('is off without a secret: nothing that a secret could have signed is accepted', async () => {
    const { privateKey, jwk } = await pairOf('RS256');
    const { url } = await serve(jwk);
    const app = await start({ jwksUrl: url, audience: ['api'] }, []);
    const token = await new SignJWT({ ...ADA, aud: 'api', exp: inSeconds(60) })
      .setProtectedHeader({ alg: 'RS256' })
      .sign(privateKey);
    expect(await statusOf(app, token)).to.equal(200);
    const nextAuth = new Uint8Array(hkdfSync('sha256', '', '', 'NextAuth.js Generated Encryption Key', 32));
    const session = await new EncryptJWT({ ...ADA, exp: inSeconds(60) })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(nextAuth);
    for (const other of [
      forge(),
      forge({ secret: '' }),
      forge({ header: { alg: 'HS512' }, secret: '' }),
      session,
    ]) {
      expect(await statusOf(app, other)).to.equal(401);
    }
    // Lists still have pages: their cursors need no secret of the operator's.
    await app.database.query(`update users set role = 'admin'`);
    await addAccount(app.database, 'grace@example.com');
    const headers = { Authorization: `Bearer ${token}` };
    const { nextCursor } = (await (await app.call('/v1/users?limit=1', { headers })).json()) as {
      nextCursor: string;
    };
    expect((await app.call(`/v1/users?limit=1&cursor=${nextCursor}`, { headers })).status).to.equal(200);
    const forged = `${nextCursor.slice(0, -4)}AAAA`;
    await expectProblem(await app.call(`/v1/users?limit=1&cursor=${forged}`, { headers }), 400, 'bad_cursor');
  });

  it('takes a token of almost 16 KiB, in a header and in cookies, beside other cookies', async () => {
    const app = await start();
    const token = forge({ claims: { padding: 'x'.repeat(12_100) } });
    expect(token.length).to.be.within(16_000, 16_384);
    expect(await statusOf(app, token)).to.equal(200);
    const chunks = (token.match(/.{1,3900}/g) ?? []).map(
      (chunk, index) => `authjs.session-token.${index}=${chunk}`,
    );
    const Cookie = [...chunks, `theme=${'x'.repeat(8_000)}`].join('; ');
    expect((await app.call('/v1/me', { headers: { Cookie } })).status).to.equal(200);
  });
});
