import { refusals } from '../../domain/refusals.ts';
import { type AnyRefusalKind, type Endpoint, isWrite } from '../endpoint.ts';
import { JSON_TYPE } from './media-types.ts';

/** Refusals from authentication and authorization. */
const AUTHENTICATION_REFUSALS: readonly AnyRefusalKind[] = [
  refusals.unauthenticated,
  refusals.emailUnverified,
  refusals.accountRequired,
  refusals.accountSuspended,
  refusals.identityMismatch,
  refusals.emailChanged,
  refusals.identityProviderUnavailable,
  refusals.rateLimited,
];

/** Refusals of an `Idempotency-Key`. */
const IDEMPOTENCY_REFUSALS: readonly AnyRefusalKind[] = [
  refusals.idempotencyKeyInvalid,
  refusals.idempotencyKeyReused,
  refusals.requestInProgress,
  refusals.answerGone,
];

/** Every kind of refusal that the endpoint can answer with, one for each code. */
export function refusalsOf(endpoint: Endpoint): AnyRefusalKind[] {
  const { method, access, isDoor, params, body, upload, transfers, obeysIfMatch } = endpoint;
  // Whoever is refused is sent on.
  if (endpoint.isNavigation) return [refusals.internal];
  const kinds: readonly AnyRefusalKind[] = [
    ...endpoint.refusals,
    // Even without a query: unknown parameters are refused.
    ...(endpoint.isPage ? [] : [refusals.invalidQuery]),
    ...(access === 'public' ? [] : AUTHENTICATION_REFUSALS),
    ...(access === 'admin' ? [refusals.adminsOnly] : []),
    ...(access === 'account' ? [refusals.accountsOnly] : []),
    // The last of a code counts: a read is refused only where it comes with a session.
    ...(access === 'public' && !isDoor ? [] : [refusals.foreignPage]),
    ...(access === 'public' || isDoor || method === 'GET' ? [] : [refusals.crossSite]),
    ...(isDoor ? [refusals.lockTimeout] : []),
    ...(isWrite(endpoint) ? [...IDEMPOTENCY_REFUSALS, refusals.reasonInvalid] : []),
    ...(params ? [refusals.notFound] : []),
    // Not `request_aborted`: nobody is left to read it.
    ...(body
      ? [refusals.bodyTooLarge, refusals.requestTimeout, refusals.unsupportedMediaType, refusals.invalidBody]
      : []),
    ...(body?.types.some((type) => JSON_TYPE.test(type)) ? [refusals.malformedJson] : []),
    ...(upload
      ? [
          refusals.bodyTooLarge,
          refusals.unsupportedUpload,
          refusals.uploadTooSlow,
          refusals.storageUnavailable,
        ]
      : []),
    ...(transfers || upload ? [refusals.tooManyTransfers, refusals.transfersBusy] : []),
    ...(obeysIfMatch ? [refusals.preconditionFailed] : []),
    // A unit of work that is replayed and loses every time.
    ...(method === 'GET' ? [] : [refusals.lostRace]),
    // Transfers have limits of their own.
    ...(transfers || upload || endpoint.isProbe ? [] : [refusals.overloaded]),
    ...(access === 'public' ? [] : [refusals.lockTimeout]),
    refusals.internal,
    refusals.databaseUnavailable,
  ];
  return [...new Map(kinds.map((kind) => [kind.code, kind])).values()].sort((a, b) =>
    a.code < b.code ? -1 : 1,
  );
}
