import { DomainError } from '../../domain/errors.ts';
import { badCursor } from '../../services/paging.ts';
import { DoorError, type Problem, problemOf } from '../answer/problem.ts';
import type { Endpoint } from '../endpoint.ts';
import { MAX_BODY_BYTES } from '../middleware/read-json.ts';
import { checkBody, checkQuery } from '../request/input.ts';

type Code = Problem['code'];

const REQUEST_ID = '5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11';

const BAD_LINE = new DomainError('invalid_input', 'Nothing was imported: 1 line is not as they must be.', {
  errors: [{ path: 'lines.2.email', message: 'This is not an email address.' }],
  details: {
    report: {
      created: 0,
      updated: 0,
      unchanged: 0,
      failed: 1,
      failures: [{ line: 2, path: 'email', reason: 'This is not an email address.' }],
    },
  },
});

const TOO_LARGE = new DomainError('invalid_input', 'These preferences cannot be kept.', {
  errors: [{ path: 'preferences', message: 'They must have 16384 bytes at most.' }],
});

/**
 * For each code, a fault that has it, thrown as it is thrown in earnest: where the code that throws it can be asked, it is,
 * and the other words are held to the server's by a test.
 */
const FAULTS: Readonly<Record<Code, (endpoint: Endpoint) => unknown>> = {
  account_required: () => new DomainError('account_required', 'There is no account for this sign-in.'),
  account_suspended: () => new DomainError('account_suspended', 'This account is suspended.'),
  bad_cursor: badCursor,
  changed_since: () =>
    new DomainError('changed_since', 'This has changed since, and would be taken back along with it.', {
      details: { fields: ['preferences.theme'] },
    }),
  body_too_large: () => new DoorError('body_too_large', `The body may have ${MAX_BODY_BYTES} bytes at most.`),
  cross_site: () =>
    new DoorError(
      'cross_site',
      'With a cookie, this must come from our own origin or from one that is allowed.',
    ),
  database_unavailable: () =>
    new DomainError('database_unavailable', 'The database cannot be reached at the moment.'),
  email_invalid: () => new DomainError('email_invalid', 'This is not an email address.'),
  email_taken: () => new DomainError('email_taken', 'There is an account with this email already.'),
  email_unverified: () =>
    new DomainError('email_unverified', 'The email of this sign-in has not been verified.'),
  erased: () => new DomainError('erased', 'What there was has been erased.'),
  forbidden: ({ access }) =>
    new DomainError(
      'forbidden',
      access === 'admin' ? 'This is for admins.' : 'This is not for service tokens.',
    ),
  identity_provider_unavailable: () =>
    new DomainError(
      'identity_provider_unavailable',
      'The identity provider cannot be reached at the moment.',
    ),
  internal: () => new Error('a bug'),
  invalid_input: ({ body, upload }) =>
    upload ? BAD_LINE : body ? thrownBy(() => checkBody(body.schema, [])) : TOO_LARGE,
  invalid_query: ({ query }) =>
    thrownBy(() => checkQuery(query, new URLSearchParams('colour=red&colour=blue'))),
  last_admin: () => new DomainError('last_admin', 'This is the last active admin, and one must remain.'),
  lost_race: () => new DomainError('lost_race', 'Others changed the same at the same time. Try it again.'),
  malformed_json: () =>
    new DoorError('malformed_json', 'The body is not valid JSON.', [
      { path: '', message: "Expected property name or '}' in JSON at position 1 (line 1 column 2)" },
    ]),
  method_not_allowed: () => new DoorError('method_not_allowed', 'This resource does not take that method.'),
  name_taken: () => new DomainError('name_taken', 'There is or was a service token with this name.'),
  not_acceptable: ({ answer }) =>
    new DoorError('not_acceptable', `This is to be had as ${[answer.type ?? []].flat().join(' or ')}.`),
  not_found: () => new DomainError('not_found', 'There is nothing here.'),
  not_ready: () => new DomainError('not_ready', 'The process is draining.'),
  precondition_failed: () =>
    new DomainError('precondition_failed', 'It has changed: its version is 3 by now.'),
  rate_limited: () =>
    new DoorError('rate_limited', 'This is too much at once. Retry-After says how many seconds to wait.'),
  request_aborted: () => new DoorError('request_aborted', 'The request ended before its body did.'),
  unauthenticated: () =>
    new DomainError('unauthenticated', 'This needs a valid bearer token or session cookie.'),
  unsupported_media_type: ({ body, upload }) =>
    new DoorError(
      'unsupported_media_type',
      upload
        ? `The body must be ${upload.types.join(' or ')}, in UTF-8, not encoded.`
        : `The body must be ${body?.types.join(' or ')}, not encoded.`,
    ),
};

/** A problem with this code, as the endpoint answers it. */
export function exampleOf(code: Code, endpoint: Endpoint): Problem {
  return problemOf(FAULTS[code](endpoint), REQUEST_ID);
}

function thrownBy(check: () => unknown): unknown {
  try {
    check();
  } catch (error) {
    return error;
  }
  throw new Error('The check passes what it was to refuse.');
}
