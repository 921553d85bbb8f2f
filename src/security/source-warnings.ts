import { isVouchedFor } from './email-claims.ts';
import type { Issuer } from './oidc.ts';
import { withoutQuery } from './provider.ts';
import type { Sources } from './sources.ts';

/** A warning about sources, for the log: what is the matter, and where. */
export interface SourceWarning {
  readonly message: string;
  readonly issuers?: readonly string[];
  readonly claims?: readonly string[];
}

const nameOf = ({ issuer, jwksUrl }: Issuer) => issuer ?? withoutQuery(`${jwksUrl}`);

/** Whether its tokens for anybody are accepted: in a realm of Keycloak, every client gets access tokens for `account`, its own page. */
function isForEveryClient(issuer: Issuer): boolean {
  return nameOf(issuer).includes('/realms/') && issuer.audience.includes('account');
}

/** What an operator should know about the sources before somebody signs in. */
export function sourceWarnings({ ring, emails, issuers }: Sources): SourceWarning[] {
  const unlimited = issuers.filter(({ emails: { domains } }) => domains.length === 0);
  const claims = [...(ring.length > 0 ? [emails] : []), ...issuers.map((one) => one.emails)].flatMap(
    (rules) => rules.claims.filter((name) => !isVouchedFor(name, rules.trusted)),
  );
  const open = issuers.filter(isForEveryClient);
  return [
    ...(open.length > 0
      ? [
          {
            message:
              'every client of these Keycloak realms gets tokens for the audience account; let a mapper add one for Rollcall alone, and accept that',
            issuers: open.map(nameOf),
          },
        ]
      : []),
    ...(unlimited.length > 1
      ? [
          {
            message:
              'each of these issuers can sign in every email; limit them with AUTH_ISSUER_DOMAINS or with domains in AUTH_ISSUERS',
            issuers: unlimited.map(nameOf),
          },
        ]
      : []),
    ...(claims.length > 0
      ? [
          {
            message:
              'emails in these claims are refused unless the token calls them verified; if people cannot choose them at the provider, name them in AUTH_TRUSTED_EMAIL_CLAIMS or in trustedEmailClaims of the issuer',
            claims: [...new Set(claims)],
          },
        ]
      : []),
  ];
}
