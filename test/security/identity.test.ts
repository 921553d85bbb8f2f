import { expect } from 'chai';
import { tokenVerifier } from '../../src/security/verifier.ts';
import { sources } from '../support/app.ts';
import { sessionOf } from '../support/authjs.ts';
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { forge } from '../support/tokens.ts';

describe('the identity in a token', () => {
  let provider: IdentityProvider;

  before(async () => {
    provider = await startIdentityProvider();
  });

  after(() => provider.close());

  it('has the issuer and the subject of an OpenID Connect provider', async () => {
    const { verify } = await tokenVerifier(sources({ issuer: provider.issuer, audience: [AUDIENCE] }));
    const claims = { email: 'ada@example.com', email_verified: true };
    expect(await verify(await provider.token({ claims }))).to.deep.equal({
      email: 'ada@example.com',
      issuer: provider.issuer,
      subject: 'app',
      emailVerified: true,
    });
  });

  it('has the iss of a token whose issuer is not checked', async () => {
    const { verify } = await tokenVerifier(sources({ jwksUrl: provider.jwksUrl, audience: [AUDIENCE] }));
    expect(await verify(await provider.token())).to.include({ issuer: provider.issuer, subject: 'app' });
  });

  it('has a fixed issuer for sessions and for tokens without one', async () => {
    const { verify } = await tokenVerifier(sources());
    const session = await sessionOf({ token: { iss: 'https://elsewhere.example.com', sub: '7' } });
    expect(await verify(session)).to.include({ issuer: 'authjs', subject: '7' });
    expect(await verify(forge({ claims: { sub: '7' } }))).to.include({ issuer: 'secret', subject: '7' });
  });

  it('tells an email that the issuer calls verified from one that it says nothing about', async () => {
    const { verify } = await tokenVerifier(sources());
    expect(await verify(forge({ claims: { email_verified: true } }))).to.include({ emailVerified: true });
    expect(await verify(forge())).to.include({ emailVerified: false });
  });
});
