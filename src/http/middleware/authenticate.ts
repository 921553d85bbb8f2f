import { setTimeout as delay } from 'node:timers/promises';
import { type Author, sign } from '../../domain/author.ts';
import type { RecordedChange } from '../../domain/change.ts';
import { normalizeEmail } from '../../domain/email.ts';
import { DomainError } from '../../domain/errors.ts';
import { serviceActor } from '../../domain/service-token.ts';
import { serviceTokenDigest } from '../../security/service-token.ts';
import {
  EmailUnverified,
  InvalidToken,
  ProviderUnavailable,
  type TokenVerifier,
} from '../../security/token.ts';
import type { Admission, SignIn } from '../../services/access/admission.ts';
import { useServiceToken } from '../../services/access/service-tokens.ts';
import type { Middleware, RequestContext, RequestState } from '../context.ts';
import { credentialsOf } from '../request/credentials.ts';
import { MAX_DRY_RUN_CHANGES } from '../schemas/change.ts';

/**
 * Finds out who is asking, from a bearer token (RFC 6750) or else a session cookie, and signs the unit of work in their name:
 * the token says who, the account, or our own entry of a service token, what they may do. All refusals of a token look
 * alike; the log has the cause.
 */
export const authenticate = (
  verifier: TokenVerifier,
  cookieNames: readonly string[],
  admit: Admission,
): Middleware =>
  async function authenticate(ctx, next) {
    const { state } = ctx;
    const began = performance.now();
    const who = await identify().catch(async (error: unknown) => {
      if (error instanceof InvalidToken) await pauseUntil(began + REFUSAL_MS);
      throw refusal(ctx, error);
    });
    sign(state.unit.em, {
      ...who,
      requestId: state.requestId,
      onRecorded: (changes) => keepRehearsed(state, changes),
    });
    await next();

    async function identify(): Promise<Who> {
      const credentials = credentialsOf(ctx, cookieNames);
      if (credentials === undefined) throw unauthenticated(ctx, 'Bearer');
      const { token, credential, isService } = credentials;
      const who = await (isService ? service(state, token) : person(state, token, verifier, admit));
      state.credential = credential;
      return who;
    }
  };

/**
 * No refusal of credentials leaves sooner than this after they came. Whatever is wrong with them is found within some
 * milliseconds, unless a provider is asked, so that the time tells a stranger nothing of how far they got.
 */
const REFUSAL_MS = 20;

/** By `performance.now()`. A timer may be a part of a millisecond early. */
function pauseUntil(time: number): Promise<void> {
  return delay(Math.max(0, Math.ceil(time - performance.now()) + 1));
}

type Who = Pick<Author, 'actorId' | 'actor' | 'isService'>;

async function person(
  state: RequestState,
  token: string,
  verifier: TokenVerifier,
  admit: Admission,
): Promise<Who> {
  const signIn = await verifier.verify(token).catch((error: unknown): SignIn => {
    if (!(error instanceof EmailUnverified)) throw error;
    return { email: error.email, isUnverified: true };
  });
  try {
    state.actor = await admit(state.unit.em, signIn, state.requestId);
  } catch (error) {
    if (error instanceof DomainError) state.turnedAway = normalizeEmail(signIn.email);
    throw error;
  }
  return { actorId: state.actor.id, actor: state.actor.email };
}

async function service(state: RequestState, token: string): Promise<Who> {
  const digest = serviceTokenDigest(token);
  if (digest === undefined) throw new InvalidToken('this is no service token: its checksum is wrong');
  const known = await useServiceToken(state.unit.em, digest);
  if (known === undefined) throw new InvalidToken('this service token is unknown, expired or revoked');
  state.service = known;
  return { actorId: null, actor: serviceActor(known.name), isService: true };
}

function keepRehearsed({ rehearsed }: RequestState, changes: readonly RecordedChange[]): void {
  rehearsed?.push(...changes.slice(0, MAX_DRY_RUN_CHANGES - rehearsed.length));
}

function refusal(ctx: RequestContext, error: unknown): unknown {
  if (error instanceof InvalidToken) {
    ctx.state.log.info({ cause: error.message }, 'token refused');
    return unauthenticated(ctx, 'Bearer error="invalid_token"');
  }
  if (error instanceof ProviderUnavailable) {
    ctx.set('Retry-After', `${error.retryAfterSeconds}`);
    return new DomainError('identity_provider_unavailable', error.message, { cause: error.cause });
  }
  return error;
}

function unauthenticated(ctx: RequestContext, challenge: string): DomainError {
  ctx.set('WWW-Authenticate', challenge);
  return new DomainError('unauthenticated', 'This needs a valid bearer token or session cookie.');
}
