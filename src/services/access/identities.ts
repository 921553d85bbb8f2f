import type { EntityManager } from '@mikro-orm/postgresql';
import { AccountIdentity } from '../../domain/account-identity.ts';
import { ConsoleSession } from '../../domain/console-session.ts';
import { refusals } from '../../domain/refusals.ts';
import type { Signer } from '../../store/account-look-up.ts';
import { type ActorNames, actorNames } from '../../store/actor-names.ts';
import { runAlone } from '../../store/statements.ts';
import { type Unit, unitOf } from '../../store/unit.ts';

// The lock orders it against the account's deletion, which may erase: what is erased must not come back. The subject of a
// deleted account may have a new account by now.
const BIND = `
  with account as (select id from users where id = $1 for key share)
  insert into identities as known (user_id, issuer, subject, email) select id, $2, $3, $4 from account
  on conflict (issuer, subject) where cut_at is null do update
     set user_id = excluded.user_id, email = excluded.email, first_seen_at = now(), last_seen_at = now()
   where not exists (select from users where users.id = known.user_id)`;

/**
 * Binds an account to a signer, unless another one was quicker: look the account up again to see who it was. It is committed at
 * once: a sign-in is a fact, even if its request fails.
 */
export async function bindIdentity(
  em: EntityManager,
  accountId: number,
  { issuer, subject, email }: Signer & { readonly subject: string },
): Promise<void> {
  const statement = { text: BIND, values: [accountId, issuer, subject, email] };
  await unitOf(em)
    .runAlone(() => runAlone(em, statement))
    .catch((error: unknown) => {
      // The account has got another subject of this issuer meanwhile.
      if ((error as { constraint?: string }).constraint !== 'identities_user_id_issuer_unique') throw error;
    });
}

/** Notes the email of a sign-in, and its time once an hour; in the transaction of `em`, if there is one. */
export async function noteSignIn(em: EntityManager, id: number, email: string): Promise<void> {
  const text = `
    update identities set email = ?, last_seen_at = now()
     where id = ? and (email <> ? or last_seen_at < now() - interval '1 hour')`;
  await unitOf(em).runAlone(() => em.execute(text, [email, id, email]));
}

/** The identities of an account, cut ones included, newest first. */
export function identitiesOf(em: EntityManager, userId: number): Promise<AccountIdentity[]> {
  return em.find(AccountIdentity, { userId }, { orderBy: { id: 'desc' } });
}

/** An identity of an account. Throws `not_found`. */
export async function identityOf(em: EntityManager, userId: number, id: number): Promise<AccountIdentity> {
  const identity = await em.findOne(AccountIdentity, { id, userId });
  if (identity === null) throw refusals.notFound('identity with this id of this account');
  return identity;
}

/**
 * Cuts an identity from its account, unless it is cut already, and ends the account's sessions of the console: whoever is cut off must
 * sign in anew.
 */
export async function cutIdentity(unit: Unit, identity: AccountIdentity): Promise<void> {
  if (identity.cutAt) return;
  const { em, author } = unit;
  await unit.begin();
  // Orders it against whoever opens a session by this identity at the moment.
  await em.execute('select from users where id = ? for no key update', [identity.userId]);
  identity.cut(new Date(), author);
  for (const session of await em.find(ConsoleSession, { account: identity.userId })) em.remove(session);
}

/** The names of who has cut identities. */
export function cuttersOf(em: EntityManager, identities: readonly AccountIdentity[]): Promise<ActorNames> {
  return actorNames(
    em,
    identities.map(({ cutBy, cutById }) => ({ actor: cutBy ?? '', actorId: cutById })),
  );
}

/** What may leave of an identity, in JSON's types. */
export function identityView(identity: AccountIdentity, nameOf: ActorNames) {
  const { id, issuer, subject, email, firstSeenAt, lastSeenAt, cutAt, cutBy, cutById } = identity;
  return {
    id,
    issuer,
    subject,
    email,
    /** ISO 8601, in UTC; so are the others. */
    firstSeenAt: firstSeenAt.toISOString(),
    lastSeenAt: lastSeenAt.toISOString(),
    cutAt: cutAt?.toISOString() ?? null,
    cutBy: cutBy ? nameOf({ actor: cutBy, actorId: cutById }) : null,
  };
}
