import { setTimeout as delay } from 'node:timers/promises';
import type { Author } from '../../domain/author.ts';
import { normalizeEmail } from '../../domain/email.ts';
import { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import { serviceActor } from '../../domain/service-token.ts';
import {
  EmailUnverified,
  InvalidToken,
  ProviderUnavailable,
  type TokenVerifier,
} from '../../security/token.ts';
import type { Admission, SignIn } from '../../services/access/admission.ts';
import type { SessionLookUp } from '../../services/access/console-session-look-up.ts';
import type { ServiceTokenLookUp } from '../../services/access/service-token-look-up.ts';
import type { Middleware, RequestContext, RequestState } from '../context.ts';
import {
  CONSOLE_HEADER,
  type CookieNames,
  type Credentials,
  credentialsOf,
  UNATTENDED,
} from '../request/credentials.ts';

/**
 * Finds out who is asking, from a bearer token (RFC 6750) or else a cookie, and signs the unit of work. The token says
 * who; the account, or our entry of a service token or of a session, says what they may do. All refusals of a token look alike; the log has
 * the cause, and with `tellsCauses` so does the answer.
 */
export const authenticate = (
  verifier: TokenVerifier,
  names: CookieNames,
  { admit, findServiceToken, sessions }: Admissions,
  tellsCauses: boolean,
): Middleware =>
  async function authenticate(ctx, next) {
    const { state } = ctx;
    const began = performance.now();
    try {
      const credentials = credentialsOf(ctx, names);
      if (credentials === undefined) throw unauthenticated(ctx, 'Bearer');
      const who = await (credentials.isService
        ? identifyService(state, credentials, findServiceToken)
        : credentials.credential === 'session'
          ? identifySession(ctx, credentials, sessions)
          : identifyAccount(state, credentials, verifier, admit, tellsCauses));
      state.credential = credentials.credential;
      state.unit.author = { ...who, requestId: state.requestId };
    } catch (error) {
      if (error instanceof InvalidToken) {
        ctx.state.place?.leave();
        await pauseUntil(began + REFUSAL_MS);
      }
      throw refusal(ctx, error, tellsCauses);
    }
    state.onIdentified?.();
    return next();
  };

/**
 * The least time until a refusal of credentials, in milliseconds. Every fault is found within a few milliseconds, unless a
 * provider is asked, so that the time does not tell how far a check went.
 */
const REFUSAL_MS = 20;

/** Waits until a time of `performance.now()`. A timer may fire up to a millisecond early. */
function pauseUntil(time: number): Promise<void> {
  return delay(Math.max(0, Math.ceil(time - performance.now()) + 1));
}

/** The look-ups of accounts, of service tokens and of sessions of the console. */
export interface Admissions {
  readonly admit: Admission;
  readonly findServiceToken: ServiceTokenLookUp;
  readonly sessions: SessionLookUp;
}

type Identified = Pick<Author, 'actorId' | 'actor' | 'isService'>;

async function identifyAccount(
  state: RequestState,
  { token, digest }: Credentials,
  verifier: TokenVerifier,
  admit: Admission,
  tellsCauses: boolean,
): Promise<Identified> {
  const signIn = await verifier.verify(token, digest).catch((error: unknown): SignIn => {
    if (!(error instanceof EmailUnverified)) throw error;
    state.log.info({ cause: error.message }, 'sign-in refused');
    return error.identity;
  });
  try {
    const { account, identityId } = await admit(state.unit.em, signIn, state.requestId);
    state.actor = account;
    state.identityId = identityId;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    state.refusedEmail = normalizeEmail(signIn.email);
    if (tellsCauses && error.code === 'email_unverified') throw refusals.emailUnverified(signIn.doubt);
    throw error;
  }
  return { actorId: state.actor.id, actor: state.actor.email };
}

async function identifyService(
  state: RequestState,
  { storedDigest }: Credentials,
  find: ServiceTokenLookUp,
): Promise<Identified> {
  if (storedDigest === undefined)
    throw new InvalidToken('this is not a service token: its checksum is wrong');
  const known = await find(storedDigest);
  if (known === null) throw new InvalidToken('this service token is unknown, expired or revoked');
  state.service = known;
  return { actorId: null, actor: serviceActor(known.name), isService: true };
}

async function identifySession(
  ctx: RequestContext,
  { storedDigest }: Credentials,
  { find, noteUse }: SessionLookUp,
): Promise<Identified> {
  const { state } = ctx;
  const found = storedDigest === undefined ? null : await find(state.unit.em, storedDigest);
  if (found === null)
    throw new InvalidToken('this session of the console is unknown, has expired or was ended');
  const { account, session } = found;
  if (ctx.get(CONSOLE_HEADER) !== UNATTENDED) noteUse(session);
  state.actor = account;
  state.session = session;
  return { actorId: account.id, actor: account.email };
}

function refusal(ctx: RequestContext, error: unknown, tellsCauses: boolean): unknown {
  if (error instanceof InvalidToken) {
    ctx.state.log.info({ cause: error.message }, 'token refused');
    ctx.state.hasBadCredentials = true;
    return unauthenticated(ctx, 'Bearer error="invalid_token"', tellsCauses ? error.message : undefined);
  }
  if (error instanceof ProviderUnavailable) {
    ctx.set('Retry-After', `${error.retryAfterSeconds}`);
    if (error.isKeyUnknown) ctx.state.hasUnknownKey = true;
    return refusals.identityProviderUnavailable(error.cause);
  }
  return error;
}

function unauthenticated(ctx: RequestContext, challenge: string, cause?: string): Refusal {
  ctx.set('WWW-Authenticate', challenge);
  return refusals.unauthenticated(cause);
}
