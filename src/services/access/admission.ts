import { UniqueConstraintViolationException } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type AccessPolicy, admits, type EmailChangePolicy } from '../../domain/access.ts';
import { isEmail } from '../../domain/email.ts';
import type { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { User } from '../../domain/user.ts';
import type { Identity } from '../../security/token.ts';
import type { AccountLookUp, FoundAccount } from '../../store/account-look-up.ts';
import type { Unit, UnitOfWork } from '../../store/unit.ts';
import { fields } from '../accounts/fields.ts';
import { bindIdentity, noteSignIn } from './identities.ts';
import type { RefusedSignInCounter } from './refused-sign-ins.ts';
import type { Sightings } from './sightings.ts';
import { signerOf } from './signer.ts';

/** A sign-in: the identity in a valid token. */
export type SignIn = Identity;

/** The account of a sign-in, and the identity by which it has signed in: none where the sign-in has no subject. */
export interface Admitted {
  readonly account: User;
  readonly identityId: number | undefined;
}

/** Finds the account of a sign-in, managed by `em`. */
export type Admission = (em: EntityManager, signIn: SignIn, requestId: string) => Promise<Admitted>;

/** What an admission needs. */
export interface AdmissionDeps {
  readonly findAccount: AccountLookUp;
  readonly policy: AccessPolicy;
  readonly emailChanges: EmailChangePolicy;
  readonly refusedSignIns: RefusedSignInCounter;
  readonly sightings: Pick<Sightings, 'note'>;
  /** For what a sign-in changes: it stays, even if the request fails. */
  readonly inUnit: UnitOfWork;
}

/**
 * Creates the admission of sign-ins: it finds their accounts, in one query, and creates those that the access policy allows,
 * once even when their first requests come together. An account is bound to the first subject of each issuer that signs in with
 * its email; from then on it is found by that, follows its email, and refuses other subjects of the issuer.
 *
 * It throws `email_unverified`, `account_required`, `account_suspended`, `identity_mismatch` and `email_changed`, and counts
 * these refusals for admins to see.
 */
export function admission({
  findAccount,
  policy,
  emailChanges,
  refusedSignIns,
  sightings,
  inUnit,
}: AdmissionDeps): Admission {
  /** Changes accounts in the name of the sign-in itself, unless another request or account was quicker. */
  const change = (requestId: string, work: (unit: Unit) => Promise<void>) =>
    inUnit(
      (unit) => {
        unit.author = { actorId: null, actor: 'sign-in', requestId };
        return work(unit);
      },
      // In the unit of the request.
      { isNested: true },
    ).catch((error: unknown) => {
      if (!(error instanceof UniqueConstraintViolationException)) throw error;
    });

  return async (em, signIn, requestId) => {
    const signer = signerOf(signIn);
    const { email } = signer;
    const counted = async (refusal: Refusal) => {
      if (isEmail(email)) await refusedSignIns.count(em, email, refusal.code);
      return refusal;
    };
    const check = async (found: FoundAccount | null): Promise<FoundAccount> => {
      if (found === null) throw await counted(refusals.accountRequired());
      if (found.isOfAnother) throw await counted(refusals.identityMismatch());
      if (found.account.status === 'suspended') throw await counted(refusals.accountSuspended());
      return found;
    };
    const admitted = ({ account, identity, isUnseen }: FoundAccount): Admitted => {
      if (isUnseen) sightings.note(account.id);
      return { account, identityId: identity?.id };
    };
    const findAgain = async () => admitted(await check(await findAccount(em, signer)));

    if (signIn.isUnverified) throw await counted(refusals.emailUnverified());
    let found = await findAccount(em, signer);
    if (found === null && isEmail(email) && admits(policy, email)) {
      await change(requestId, (unit) => create(unit, email, signIn.name));
      found = await findAccount(em, signer);
    }
    const checked = await check(found);
    const { account, identity } = checked;
    if (identity === undefined) {
      if (signer.subject === undefined) return admitted(checked);
      await bindIdentity(em, account.id, { ...signer, subject: signer.subject });
      return findAgain();
    }
    let seen = identity.email;
    if (email !== identity.email && isEmail(email)) {
      if (email === account.email) {
        seen = email;
      } else if (emailChanges === 'refuse') {
        throw await counted(refusals.emailChanged());
      } else if (signIn.emailVerified && !identity.isEmailTaken) {
        await change(requestId, (unit) => follow(unit, account.id, identity.id, email));
        return findAgain();
      }
    }
    if (seen !== identity.email || identity.isStale) await noteSignIn(em, identity.id, seen);
    return admitted(checked);
  };
}

async function create({ em }: Unit, email: string, name: string | undefined): Promise<void> {
  const account = new User(email);
  const given = fields.name.safeParse(name ?? null);
  if (given.success) account.name = given.data;
  em.persist(account);
}

/** Gives an account the email that its identity has now. */
async function follow(unit: Unit, id: number, identityId: number, email: string): Promise<void> {
  await unit.begin();
  const account = await unit.em.findOne(User, { id });
  if (account === null) return;
  await unit.claim(account);
  account.rename(email);
  await noteSignIn(unit.em, identityId, email);
}
