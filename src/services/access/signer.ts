import { ISSUER_MAX_LENGTH, SUBJECT_MAX_LENGTH } from '../../domain/account-identity.ts';
import { isEmail, normalizeEmail } from '../../domain/email.ts';
import { isStorableText } from '../../domain/preferences.ts';
import { AUTHJS_ISSUER } from '../../security/authjs-session.ts';
import { SECRET_ISSUER } from '../../security/hmac.ts';
import type { Identity } from '../../security/token.ts';
import type { Signer } from '../../store/account-look-up.ts';

/**
 * Sources whose subjects do not last. Without a database, Auth.js makes up another one at every sign-in; and a token of one's
 * own that does not even name its issuer (`iss`) may have anything.
 */
const WITHOUT_SUBJECTS: readonly string[] = [AUTHJS_ISSUER, SECRET_ISSUER];

/** By identity: a token that was verified before has the same. */
const signers = new WeakMap<Identity, Signer>();

/** The signer to look up: it has a subject only if that means the same person forever, whatever their email. */
export function signerOf(identity: Identity): Signer {
  const known = signers.get(identity) ?? read(identity);
  signers.set(identity, known);
  return known;
}

function read({ email, issuer, subject }: Identity): Signer {
  return {
    email: normalizeEmail(email),
    issuer,
    subject: subject !== undefined && lasts(issuer, subject) ? subject : undefined,
  };
}

function lasts(issuer: string, subject: string): boolean {
  return (
    !WITHOUT_SUBJECTS.includes(issuer) &&
    issuer.length <= ISSUER_MAX_LENGTH &&
    subject.length <= SUBJECT_MAX_LENGTH &&
    isStorableText(issuer + subject) &&
    // An address, as in Okta's access tokens, can be given to somebody else.
    !isEmail(normalizeEmail(subject))
  );
}
