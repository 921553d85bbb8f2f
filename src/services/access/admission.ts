import { UniqueConstraintViolationException } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type AccessPolicy, admits } from '../../domain/access.ts';
import { isEmail, normalizeEmail } from '../../domain/email.ts';
import type { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { User } from '../../domain/user.ts';
import type { Identity } from '../../security/token.ts';
import type { AccountLookup } from '../../store/account-lookup.ts';
import type { UnitOfWork } from '../../store/unit.ts';
import { fields } from '../accounts/fields.ts';
import type { RefusedSignInCounter } from './refused-sign-ins.ts';

/** A sign-in: the identity in a valid token. */
export type SignIn = Identity;

/** Finds the account of a sign-in, managed by `em`. */
export type Admission = (em: EntityManager, signIn: SignIn, requestId: string) => Promise<User>;

/** What an admission needs. */
export interface AdmissionDeps {
  readonly findAccount: AccountLookup;
  readonly policy: AccessPolicy;
  readonly refusedSignIns: RefusedSignInCounter;
  /** For an account created at sign-in: it stays, even if the request fails. */
  readonly inUnit: UnitOfWork;
}

/**
 * Creates the admission of sign-ins: it finds their accounts, in one query, and creates those that the access policy allows,
 * once even when their first requests come together. It throws `email_unverified`, `account_required` and
 * `account_suspended`, and counts these refusals for admins to see.
 */
export function admission({ findAccount, policy, refusedSignIns, inUnit }: AdmissionDeps): Admission {
  const create = (email: string, signIn: SignIn, requestId: string) =>
    inUnit(async (unit) => {
      unit.author = { actorId: null, actor: 'sign-in', requestId };
      const account = new User(email);
      const given = fields.name.safeParse(signIn.name ?? null);
      if (given.success) account.name = given.data;
      unit.em.persist(account);
    }).catch((error: unknown) => {
      // Another request was quicker.
      if (!(error instanceof UniqueConstraintViolationException)) throw error;
    });

  return async (em, signIn, requestId) => {
    const email = normalizeEmail(signIn.email);
    const counted = async (refusal: Refusal) => {
      if (isEmail(email)) await refusedSignIns.count(em, email, refusal.code);
      return refusal;
    };
    if (signIn.isUnverified) throw await counted(refusals.emailUnverified());
    let account = await findAccount(em, email);
    if (account === null && isEmail(email) && admits(policy, email)) {
      await create(email, signIn, requestId);
      account = await findAccount(em, email);
    }
    if (account === null) throw await counted(refusals.accountRequired());
    if (account.status === 'suspended') throw await counted(refusals.accountSuspended());
    return account;
  };
}
