import { type Author, sign } from '../../domain/author.ts';
import type { RecordedChange } from '../../domain/change.ts';
import { DomainError } from '../../domain/errors.ts';
import { serviceActor } from '../../domain/service-token.ts';
import { isServiceToken, serviceTokenDigest } from '../../security/service-token.ts';
import { sessionToken } from '../../security/session-cookie.ts';
import {
  EmailUnverified,
  InvalidToken,
  ProviderUnavailable,
  type TokenVerifier,
} from '../../security/token.ts';
import type { Admission, SignIn } from '../../services/admission.ts';
import { useServiceToken } from '../../services/service-tokens.ts';
import type { Middleware, RequestContext, RequestState } from '../context.ts';
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
    // Of several headers `headers` would show the first, and somebody in front of us may have looked at another.
    const authorizations = ctx.req.headersDistinct['authorization'];
    const token = authorizations ? bearerToken(authorizations) : sessionToken(ctx.get('Cookie'), cookieNames);
    if (token === undefined) throw unauthenticated(ctx, 'Bearer');
    const isService = authorizations !== undefined && isServiceToken(token);
    const who = await (isService ? service(state, token) : person(state, token, verifier, admit)).catch(
      (error: unknown) => {
        throw refusal(ctx, error);
      },
    );
    state.credential = authorizations ? 'bearer' : 'cookie';
    sign(state.unit.em, {
      ...who,
      requestId: state.requestId,
      onRecorded: (changes) => keepRehearsed(state, changes),
    });
    await next();
  };

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
  state.actor = await admit(state.unit.em, signIn, state.requestId);
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

function bearerToken([authorization = '', ...others]: readonly string[]): string | undefined {
  return others.length === 0 ? /^Bearer +(\S.*)$/i.exec(authorization)?.[1] : undefined;
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
