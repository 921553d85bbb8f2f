import { expect } from 'chai';
import { sourceWarnings } from '../../src/security/source-warnings.ts';
import { listedIssuer, sources } from '../support/app.ts';

describe('warnings about sources', () => {
  const REALM = 'https://id.example.com/realms/main';

  it('name a realm of Keycloak whose tokens for any client are accepted', () => {
    const [warning, ...others] = sourceWarnings(sources({ issuer: REALM, audience: ['web', 'account'] }));
    expect(warning?.message).to.match(/^every client of these Keycloak realms/);
    expect(warning?.issuers).to.deep.equal([REALM]);
    expect(others).to.deep.equal([]);
  });

  it('find such a realm by its keys too', () => {
    const jwksUrl = `${REALM}/protocol/openid-connect/certs`;
    const [warning] = sourceWarnings(sources({ jwksUrl, audience: ['account'] }));
    expect(warning?.issuers).to.deep.equal([jwksUrl]);
  });

  it('are none where a realm has an audience of its own, or another provider calls one account', () => {
    expect(sourceWarnings(sources({ issuer: REALM, audience: ['rollcall'] }))).to.deep.equal([]);
    const another = listedIssuer({ issuer: 'https://login.example.com', audience: ['account'] });
    expect(sourceWarnings(sources({ issuers: [another] }))).to.deep.equal([]);
  });
});
