import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import packageJson from '../../package.json' with { type: 'json' };
import { addAccount } from '../support/accounts.ts';
import { listedIssuer, sources, startApp, type TestApp } from '../support/app.ts';
import { type KeyServer, serveKeys } from '../support/key-server.ts';
import { expectProblem } from '../support/problem.ts';
import { inSeconds } from '../support/tokens.ts';

const ADMIN = 'root@example.com';
const ADA = 'ada@example.com';
const ISSUER = 'https://id.example.com';
const GONE = 'https://gone.example.com';

interface Status {
  readonly version: string;
  readonly startedAt: string;
  readonly pendingMigrations: string[];
  readonly feed: { readonly state: string; readonly lagSeconds: number };
  readonly providers: { readonly issuer: string; readonly state: string; readonly at: string | null }[];
}

describe('GET /v1/status', () => {
  let app: TestApp;
  let keys: KeyServer;
  let privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

  before(async () => {
    const pair = await generateKeyPair('RS256', { extractable: true });
    privateKey = pair.privateKey;
    keys = await serveKeys({ keys: [await exportJWK(pair.publicKey)] });
    app = await startApp({
      sources: sources({
        issuers: [
          listedIssuer({ issuer: ISSUER, jwksUrl: keys.url, audience: ['api'] }),
          listedIssuer({
            issuer: GONE,
            jwksUrl: `${keys.origin.replace(/\d+$/, '1')}/keys`,
            audience: ['api'],
          }),
        ],
      }),
    });
    await addAccount(app.database, ADMIN, { role: 'admin' });
    await addAccount(app.database, ADA);
  });

  after(async () => {
    await app.close();
    await keys.close();
  });

  const status = async (): Promise<Status> => {
    const response = await app.call('/v1/status', { as: ADMIN });
    expect(response.status).to.equal(200);
    return (await response.json()) as Status;
  };
  const ask = async (iss: string) => {
    const token = await new SignJWT({ email: ADA, iss, aud: 'api', exp: inSeconds(60) })
      .setProtectedHeader({ alg: 'RS256' })
      .sign(privateKey);
    return (await app.call('/v1/me', { headers: { Authorization: `Bearer ${token}` } })).status;
  };

  it('says which version runs since when, and that nothing is wrong', async () => {
    const { startedAt, ...rest } = await status();
    expect(new Date(startedAt).getTime()).to.be.most(Date.now());
    expect(rest).to.deep.equal({
      version: packageJson.version,
      pendingMigrations: [],
      feed: { state: 'ok', lagSeconds: 0 },
      providers: [
        { issuer: ISSUER, state: 'unknown', at: null },
        { issuer: GONE, state: 'unknown', at: null },
      ],
    });
  });

  it('says whether the keys of each issuer could be fetched, once a token of it has come', async () => {
    expect(await ask(ISSUER)).to.equal(200);
    expect(await ask(GONE)).to.equal(503);
    const { providers } = await status();
    expect(providers.map(({ issuer, state }) => [issuer, state])).to.deep.equal([
      [ISSUER, 'ok'],
      [GONE, 'failing'],
    ]);
    for (const { at } of providers) expect(Number(new Date(at ?? 0))).to.be.closeTo(Date.now(), 60_000);
  });

  it('says for how long a transaction holds changes back', async () => {
    const writer = await app.database.connect();
    await writer.query('begin; select pg_current_xact_id()');
    await addAccount(app.database, 'byron@example.com');
    await app.database.query(`update changes set at = now() - interval '2 minutes' where user_id = 3`);
    expect((await status()).feed.lagSeconds).to.be.greaterThan(119);
    await writer.query('rollback');
    await writer.end();
    expect((await status()).feed).to.deep.equal({ state: 'ok', lagSeconds: 0 });
  });

  it('is for admins', async () => {
    await expectProblem(await app.call('/v1/status', { as: ADA }), 403, 'forbidden');
    await expectProblem(await app.call('/v1/status'), 401, 'unauthenticated');
  });
});
