import { UniqueConstraintViolationException } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type AccessPolicy, admits } from '../../domain/access.ts';
import { sign } from '../../domain/author.ts';
import { isEmail, normalizeEmail } from '../../domain/email.ts';
import { DomainError } from '../../domain/errors.ts';
import { type AccountLookup, User } from '../../domain/user.ts';
import type { UnitOfWork } from '../../store/unit.ts';
import { name } from '../accounts/fields.ts';
import type { RefusalCounter } from './refused-sign-ins.ts';

/** Whoever comes with a token that is good. */
export interface SignIn {
  /** As the sign-in has it. */
  readonly email: string;
  readonly name?: string | undefined;
  /** Whether the sign-in says that the email may be somebody else's. */
  readonly isUnverified?: boolean;
}

/** Lets people in: finds the account that a sign-in speaks for, managed by `em`. */
export type Admission = (em: EntityManager, signIn: SignIn, requestId: string) => Promise<User>;

/** What it takes to decide. */
export interface AdmissionDeps {
  readonly findAccount: AccountLookup;
  readonly policy: AccessPolicy;
  readonly refusals: RefusalCounter;
  /** For the account that is made on the way in: it stays, whatever becomes of the request. */
  readonly inUnit: UnitOfWork;
}

/**
 * Finds accounts for sign-ins, in one query where there is one, and makes those that the policy of the house allows, once,
 * also when their first requests come together. It throws `email_unverified`, `account_required` and `account_suspended`,
 * which admins can see afterwards.
 */
export function admission({ findAccount, policy, refusals, inUnit }: AdmissionDeps): Admission {
  const make = (email: string, signIn: SignIn, requestId: string) =>
    inUnit(async ({ em }) => {
      sign(em, { actorId: null, actor: 'sign-in', requestId });
      const account = new User(email);
      const given = name.safeParse(signIn.name ?? null);
      if (given.success) account.name = given.data;
      em.persist(account);
    }).catch((error: unknown) => {
      // Somebody was quicker: it is there.
      if (!(error instanceof UniqueConstraintViolationException)) throw error;
    });

  return async (em, signIn, requestId) => {
    const email = normalizeEmail(signIn.email);
    const refusal = async (error: DomainError) => {
      if (isEmail(email)) await refusals.note(em, email, error.code);
      return error;
    };
    if (signIn.isUnverified) {
      throw await refusal(
        new DomainError('email_unverified', 'The email of this sign-in has not been verified.'),
      );
    }
    let account = await findAccount(em, email);
    if (account === null && isEmail(email) && admits(policy, email)) {
      await make(email, signIn, requestId);
      account = await findAccount(em, email);
    }
    if (account === null) {
      throw await refusal(new DomainError('account_required', 'There is no account for this sign-in.'));
    }
    if (account.status === 'suspended') {
      throw await refusal(new DomainError('account_suspended', 'This account is suspended.'));
    }
    return account;
  };
}
