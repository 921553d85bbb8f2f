import { expect } from 'chai';
import { signInProvider } from '../../src/security/sign-in-provider.ts';
import { ProviderUnavailable } from '../../src/security/token.ts';
import { listedIssuer } from '../support/app.ts';
import { CONSOLE_CLIENT, type PeopleProvider, startPeopleProvider } from '../support/sign-in-provider.ts';

const CALLBACK = 'http://127.0.0.1:1/callback';
const DISCOVERY = 'GET /.well-known/openid-configuration';

describe('a provider to sign in at', () => {
  let provider: PeopleProvider;
  let time: Date;
  const failures: string[] = [];

  beforeEach(async () => {
    provider = await startPeopleProvider();
    provider.register(CALLBACK);
    time = new Date();
    failures.length = 0;
  });
  afterEach(() => provider.close().catch(() => undefined));

  const create = (issuer = provider.issuer) => {
    const { emailClaims: _, ...rest } = listedIssuer({ issuer, audience: ['api'] });
    const emails = { claims: ['email'], trusted: [], domains: [] };
    return signInProvider(
      { issuer: { ...rest, issuer, emails }, ...CONSOLE_CLIENT },
      { now: () => time, onFailure: ({ message }) => failures.push(message) },
    );
  };
  const asked = () => provider.asked.filter((request) => request === DISCOVERY).length;

  it('is asked for its description once by all who begin, and again after ten minutes', async () => {
    const client = create();
    const begun = await Promise.all(Array.from({ length: 20 }, () => client.begin(CALLBACK)));
    expect(asked()).to.equal(1);
    for (const name of ['state', 'nonce', 'codeVerifier'] as const)
      expect(new Set(begun.map((one) => one[name])).size, name).to.equal(20);
    time = new Date(time.getTime() + 9 * 60_000);
    await client.begin(CALLBACK);
    expect(asked()).to.equal(1);
    time = new Date(time.getTime() + 2 * 60_000);
    await client.begin(CALLBACK);
    expect(asked()).to.equal(2);
  });

  it('is left alone for a while when it fails, and what is known stays in use', async () => {
    const client = create();
    await client.begin(CALLBACK);
    await provider.close();
    time = new Date(time.getTime() + 11 * 60_000);
    for (let n = 0; n < 20; n++) await client.begin(CALLBACK);
    expect(failures).to.have.length(1);

    const stranger = create();
    const refused = await Promise.all(
      Array.from({ length: 20 }, () => stranger.begin(CALLBACK).catch((error: unknown) => error)),
    );
    for (const error of refused) expect(error).to.be.instanceOf(ProviderUnavailable);
    await stranger.begin(CALLBACK).catch(() => undefined);
    expect(failures).to.have.length(2);
    time = new Date(time.getTime() + 6_000);
    await stranger.begin(CALLBACK).catch(() => undefined);
    expect(failures).to.have.length(3);
  });
});
