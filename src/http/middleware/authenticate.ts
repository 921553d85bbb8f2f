import { type Author, sign } from '../../domain/author.ts';
import type { RecordedChange } from '../../domain/change.ts';
import { DomainError } from '../../domain/errors.ts';
import { serviceActor } from '../../domain/service-token.ts';
import { isServiceToken, serviceTokenDigest } from '../../security/service-token.ts';
import { InvalidToken, type TokenVerifier } from '../../security/token.ts';
import type { Admission } from '../../services/admission.ts';
import { useServiceToken } from '../../services/service-tokens.ts';
import type { Middleware, RequestContext, RequestState } from '../context.ts';
import { MAX_DRY_RUN_CHANGES } from '../schemas/change.ts';

/**
 * Finds out who is asking, from the bearer token (RFC 6750), and signs the unit of work in their name: the token says who,
 * the account, or our own entry of a service token, what they may do. All refusals of a token look alike; the log has
 * the cause.
 */
export const authenticate = (verifier: TokenVerifier, admit: Admission): Middleware =>
  async function authenticate(ctx, next) {
    const { state } = ctx;
    const token = bearerToken(ctx);
    if (token === undefined) throw unauthenticated(ctx, 'Bearer');
    const who = await (isServiceToken(token)
      ? identifyService(state, token)
      : identifyPerson(state, token, verifier, admit)
    ).catch((error: unknown) => {
      if (!(error instanceof InvalidToken)) throw error;
      state.log.info({ cause: error.message }, 'token refused');
      throw unauthenticated(ctx, 'Bearer error="invalid_token"');
    });
    sign(state.unit.em, {
      ...who,
      requestId: state.requestId,
      onRecorded: (changes) => keepRehearsed(state, changes),
    });
    await next();
  };

type Who = Pick<Author, 'actorId' | 'actor'>;

async function identifyPerson(
  state: RequestState,
  token: string,
  verifier: TokenVerifier,
  admit: Admission,
): Promise<Who> {
  const actor = await admit(state.unit.em, await verifier.verify(token), state.requestId);
  state.actor = actor;
  return { actorId: actor.id, actor: actor.email };
}

async function identifyService(state: RequestState, token: string): Promise<Who> {
  const digest = serviceTokenDigest(token);
  if (digest === undefined) throw new InvalidToken('this is no service token: its checksum is wrong');
  const service = await useServiceToken(state.unit.em, digest);
  if (service === undefined) throw new InvalidToken('this service token is unknown, expired or revoked');
  state.service = service;
  return { actorId: null, actor: serviceActor(service.name) };
}

function keepRehearsed({ rehearsed }: RequestState, changes: readonly RecordedChange[]): void {
  rehearsed?.push(...changes.slice(0, MAX_DRY_RUN_CHANGES - rehearsed.length));
}

function bearerToken(ctx: RequestContext): string | undefined {
  return /^Bearer +(\S.*)$/i.exec(ctx.get('Authorization'))?.[1];
}

function unauthenticated(ctx: RequestContext, challenge: string): DomainError {
  ctx.set('WWW-Authenticate', challenge);
  return new DomainError('unauthenticated', 'This needs a valid bearer token.');
}
