import type { ImportReport } from './import-report.ts';
import { type InputError, Refusal } from './refusal.ts';
import type { UndoReport } from './undo-report.ts';

const { kind } = Refusal;

/** An answer must not grow with what has changed: preferences can have thousands of paths. */
const MAX_FIELDS = 100;
const MAX_FIELD_LENGTH = 255;

/** The report of a refused undo, as an example. */
const UNDO_REPORT: UndoReport = {
  undone: 0,
  wouldUndo: 1,
  skipped: 1,
  actions: { created: 0, updated: 0, deleted: 1 },
  undoneRequestId: '5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11',
  requestId: 'ec893c10-9ed7-4037-87cf-5d67d62a2837',
  skippedChanges: [{ id: 7, userId: 2, reason: 'changed_since', fields: ['name'] }],
};

/** How many changes of a request cannot be undone. */
const notUndone = ({ skipped, wouldUndo = 0 }: UndoReport) =>
  `Nothing was undone: ${skipped} of ${skipped + wouldUndo} changes cannot be undone.`;

/** Every refusal there is. Several may share a code, which tells programs what to do; the message tells people why. */
export const refusals = {
  /** A table of the app has a foreign key to the accounts themselves. */
  accountInUse: kind(
    'account_in_use',
    409,
    (table: string) =>
      `The table ${table} points at this account: delete its rows first, or let it point at rollcall.account_ids.`,
    'items',
  ),
  /** The same where people delete their own account: it does not name the app's tables. */
  ownAccountInUse: kind(
    'account_in_use',
    409,
    () => 'The app still has data of this account: ask an admin to delete the account.',
  ),
  accountRequired: kind(
    'account_required',
    403,
    () => 'There is no account for this sign-in: ask an admin to create one.',
  ),
  accountSuspended: kind(
    'account_suspended',
    403,
    () => 'This account is suspended: ask an admin to restore it.',
  ),
  answerGone: kind(
    'answer_gone',
    410,
    () =>
      'This request was carried out before, and its answer is no longer stored: read what it has changed.',
  ),
  badCursor: kind(
    'bad_cursor',
    400,
    () =>
      'This cursor does not belong to this list with this sort and these filters: start without a cursor.',
  ),
  bodyTooLarge: kind(
    'body_too_large',
    413,
    (maxBytes: number) => `The body is too large: send at most ${maxBytes} bytes.`,
    102_400,
  ),
  /** `fields`: what has changed since; empty where nothing of the change is left to undo. */
  changedSince: kind(
    'changed_since',
    409,
    (fields: readonly string[]) => ({
      message:
        fields.length > 0
          ? 'These fields have changed since: undo the later changes first.'
          : 'Nothing of this change is left to undo.',
      details: {
        fields: fields.slice(0, MAX_FIELDS).map((field) => field.slice(0, MAX_FIELD_LENGTH)),
      },
    }),
    ['preferences.theme'],
  ),
  /** For who may not read the history. */
  changedSinceUnseen: kind(
    'changed_since',
    409,
    () => 'Fields of this change have changed since: the scope history:read shows which.',
  ),
  /** For a request as a whole: `report` names the changes that cannot be undone. */
  requestChangedSince: kind(
    'changed_since',
    409,
    (report: UndoReport) => ({
      message: `${notUndone(report)} Undo the others with partial=true.`,
      details: { report },
    }),
    UNDO_REPORT,
  ),
  /** The same where some of the accounts are in use. */
  requestInUse: kind(
    'account_in_use',
    409,
    (report: UndoReport) => ({
      message: `${notUndone(report)} Tables of the app point at some of the accounts: delete those rows first, let the tables point at rollcall.account_ids, or undo the others with partial=true.`,
      details: { report },
    }),
    {
      ...UNDO_REPORT,
      skippedChanges: [{ id: 7, userId: 2, reason: 'account_in_use', fields: [] }],
    },
  ),
  crossSite: kind(
    'cross_site',
    403,
    () => 'A write with a session cookie must come from our own origin or from one in CORS_ORIGINS.',
  ),
  /** A read or a write by a session of the console, or at one of its doors. */
  foreignPage: kind('cross_site', 403, () => "This must come from the console's own pages."),
  cursorOutdated: kind(
    'cursor_outdated',
    410,
    () =>
      'The database has changed to a server that may lack changes which this cursor has passed: take a new cursor with after=now, then read all accounts again.',
  ),
  databaseUnavailable: kind('database_unavailable', 503, (cause?: unknown) => ({
    message: 'The database is unavailable: try again shortly.',
    cause,
  })),
  emailChanged: kind(
    'email_changed',
    403,
    () => 'The email of this sign-in has changed: ask an admin to change that of the account.',
  ),
  emailInvalid: kind('email_invalid', 422, () => 'This is not a valid email address.'),
  emailAmbiguous: kind(
    'email_invalid',
    422,
    (meant: string) => `This email has characters that stand for others: write it as ${meant}.`,
    'ada@example.com',
  ),
  emailTaken: kind('email_taken', 409, () => 'An account with this email already exists.'),
  emailUnverified: kind('email_unverified', 403, (cause?: string) => ({
    message: 'The email of this sign-in is not verified: verify it with your identity provider.',
    ...(cause !== undefined && { details: { cause } }),
  })),
  erased: kind('erased', 410, () => 'The values were erased and cannot be recovered.'),
  adminsOnly: kind('forbidden', 403, () => 'Only admins may do this.'),
  accountsOnly: kind('forbidden', 403, () => 'Service tokens may not do this: sign in with an account.'),
  scopeMissing: kind(
    'forbidden',
    403,
    (scope: string) => `The service token needs the scope ${scope}.`,
    'users:read',
  ),
  adminsProtected: kind('forbidden', 403, () => 'Service tokens may not create, change or delete admins.'),
  idempotencyKeyInvalid: kind(
    'idempotency_key_invalid',
    400,
    () => 'Idempotency-Key must be one text of 1 to 255 ASCII characters in quotes, such as a new UUID.',
  ),
  idempotencyKeyReused: kind(
    'idempotency_key_reused',
    422,
    () => 'Another request was sent under this Idempotency-Key: use a new key for each request.',
  ),
  identityMismatch: kind(
    'identity_mismatch',
    403,
    () => 'The account with this email belongs to another identity: ask an admin to cut that one.',
  ),
  identityProviderUnavailable: kind('identity_provider_unavailable', 503, (cause?: unknown) => ({
    message: 'The identity provider is unavailable: try again shortly.',
    cause,
  })),
  internal: kind(
    'internal',
    500,
    () => 'Something went wrong on our side: the log has the cause under this request id.',
  ),
  invalidBody: kind(
    'invalid_input',
    422,
    (errors: readonly InputError[]) => ({ message: 'The body is invalid.', errors }),
    [{ path: 'colour', message: 'This field does not exist.' }],
  ),
  invalidPreferences: kind(
    'invalid_input',
    422,
    (errors: readonly InputError[]) => ({ message: 'The preferences are invalid.', errors }),
    [{ path: 'preferences', message: 'Must have at most 16384 bytes.' }],
  ),
  invalidExpiry: kind(
    'invalid_input',
    422,
    (maxYears: number) => ({
      message: 'The expiry is invalid.',
      errors: [{ path: 'expiresAt', message: `Must be within the next ${maxYears} years.` }],
    }),
    10,
  ),
  invalidRoleEnd: kind(
    'invalid_input',
    422,
    (message: string) => ({
      message: 'The end of the role is invalid.',
      errors: [{ path: 'roleUntil', message }],
    }),
    'Must be in the future.',
  ),
  invalidLines: kind(
    'invalid_input',
    422,
    (report: ImportReport) => ({
      message: `Nothing was imported: ${report.failed} ${report.failed === 1 ? 'line is' : 'lines are'} invalid.`,
      errors: report.failures.map(({ line, path, reason }) => ({
        path: path === '' ? `lines.${line}` : `lines.${line}.${path}`,
        message: reason,
      })),
      details: { report },
    }),
    {
      created: 0,
      updated: 0,
      unchanged: 0,
      failed: 1,
      wouldCreate: 0,
      wouldUpdate: 0,
      columns: [{ name: 'email', field: 'email' }],
      ignoredColumns: [],
      failures: [{ line: 2, path: 'email', reason: 'This is not a valid email address.' }],
    },
  ),
  invalidQuery: kind(
    'invalid_query',
    400,
    (errors: readonly InputError[]) => ({ message: 'The query is invalid.', errors }),
    [{ path: 'colour', message: 'This parameter does not exist.' }],
  ),
  lastAdmin: kind(
    'last_admin',
    409,
    () => 'This is the last active admin: make another account an admin first.',
  ),
  lockTimeout: kind('lock_timeout', 503, (cause?: unknown) => ({
    message: 'Another transaction holds a lock that this request needs: try again shortly.',
    cause,
  })),
  lostRace: kind('lost_race', 409, (cause?: unknown) => ({
    message: 'Concurrent requests changed the same data: try again.',
    cause,
  })),
  malformedJson: kind(
    'malformed_json',
    400,
    (errors: readonly InputError[]) => ({ message: 'The body is not valid JSON.', errors }),
    [{ path: '', message: "Expected property name or '}' in JSON at position 1 (line 1 column 2)" }],
  ),
  malformedRequest: kind('malformed_request', 400, () => 'This is not a valid HTTP request.'),
  hostInvalid: kind('malformed_request', 400, () => 'Send Host once, with a valid name or address.'),
  misdirected: kind(
    'misdirected_request',
    421,
    (host: string) =>
      `Host is ${host}, which is not known as a name of this machine: set PUBLIC_URL to the origin that you use.`,
    'rollcall.example.com:8000',
  ),
  requestTimeout: kind('malformed_request', 408, () => 'The request did not arrive in time.'),
  headersTooLarge: kind('malformed_request', 431, () => 'The request headers are too large.'),
  methodNotAllowed: kind(
    'method_not_allowed',
    405,
    () => 'This resource does not support that method: see Allow.',
  ),
  nameTaken: kind(
    'name_taken',
    409,
    () => 'A service token with this name exists or once did: choose another name.',
  ),
  notAcceptable: kind(
    'not_acceptable',
    406,
    (types: readonly string[]) => `This is available as ${types.join(' or ')}.`,
    ['application/json'],
  ),
  /** `what` does not exist, for example `account with this id`. */
  notFound: kind('not_found', 404, (what?: string) =>
    what === undefined ? 'Nothing exists at this path.' : `There is no ${what}.`,
  ),
  notReady: kind('not_ready', 503, (phase: string) => `The process is ${phase}.`, 'draining'),
  migrationsPending: kind(
    'not_ready',
    503,
    (names: readonly string[]) => `Migrations are pending: ${names.join(', ')}.`,
    ['Migration20261123000000_users'],
  ),
  migrationsLocked: kind('not_ready', 503, (cause?: unknown) => ({
    message: 'The table of migrations is locked: end the transaction that holds the lock.',
    cause,
  })),
  migrationsMissing: kind(
    'not_ready',
    503,
    () => 'The database lacks migrations: start the service, which applies them, or run the command migrate.',
  ),
  overloaded: kind(
    'overloaded',
    503,
    () => 'Too many requests are being answered at the moment: try again shortly.',
  ),
  preconditionFailed: kind(
    'precondition_failed',
    412,
    /** `ifMatch`: the header that came. */
    (ifMatch: string, version: number) => {
      const given = ifMatch.slice(0, MAX_FIELD_LENGTH) || 'empty';
      return ifMatch.includes('"')
        ? `If-Match is ${given}, but the current version is "${version}": read it again and repeat the change.`
        : `If-Match is ${given}, which is no entity tag: write the version that you have read in quotes, as in "${version}".`;
    },
    '"2"',
    3,
  ),
  historyLimited: kind(
    'rate_limited',
    429,
    () => 'This account has changed too much within the hour: wait for as many seconds as Retry-After says.',
  ),
  reasonInvalid: kind(
    'reason_invalid',
    400,
    (fault = 'is invalid') => `Rollcall-Reason ${fault}.`,
    'must have 1 to 500 characters',
  ),
  reasonRequired: kind(
    'reason_required',
    400,
    () =>
      'What is done to the account of somebody else needs a reason: send Rollcall-Reason, or --reason on the command line.',
  ),
  rateLimited: kind(
    'rate_limited',
    429,
    () => 'Too many requests: wait for as many seconds as Retry-After says.',
  ),
  bodyIncomplete: kind('request_aborted', 400, () => 'The request ended before its body was complete.'),
  callerGone: kind('request_aborted', 400, () => 'The caller hung up before the answer was sent.'),
  callerTooSlow: kind('request_aborted', 400, () => 'The caller is too slow for the event stream.'),
  answerTooSlow: kind('request_aborted', 400, () => 'The caller reads the answer too slowly.'),
  answerTooLong: kind(
    'request_aborted',
    400,
    (timeoutMs: number) => `The caller has not read the answer within ${timeoutMs} ms.`,
    1_800_000,
  ),
  codeInvalid: kind(
    'unauthenticated',
    401,
    () => 'This link has been used or has expired: make a new one with the command accounts console.',
  ),
  signInInvalid: kind(
    'unauthenticated',
    401,
    () => 'This sign-in has not begun in this browser, has taken too long or was not completed: begin again.',
  ),
  requestUnknown: kind(
    'request_unknown',
    409,
    () => 'This change has no request id, so what was changed with it is not known: undo it alone.',
  ),
  requestInProgress: kind(
    'request_in_progress',
    409,
    () => 'A request under this Idempotency-Key is in progress: send it again shortly.',
  ),
  storageUnavailable: kind('storage_unavailable', 507, (cause?: unknown) => ({
    message: 'The upload cannot be stored on the server: its folder for temporary files is full or missing.',
    cause,
  })),
  tooManyTransfers: kind(
    'too_many_transfers',
    429,
    () => 'You have too many imports or exports running: wait for one of them to end.',
  ),
  uploadTooSlow: kind('transfer_too_slow', 408, () => 'The upload arrives too slowly.'),
  uploadTooLong: kind(
    'transfer_too_slow',
    408,
    (timeoutMs: number) => `The upload has not arrived within ${timeoutMs} ms.`,
    1_800_000,
  ),
  transfersBusy: kind(
    'transfers_busy',
    503,
    () => 'Too many imports and exports are running: try again shortly.',
  ),
  /** `cause`: of a refused token, in development alone. */
  unauthenticated: kind('unauthenticated', 401, (cause?: string) => ({
    message: 'Send a valid bearer token or session cookie.',
    ...(cause !== undefined && { details: { cause } }),
  })),
  unsupportedMediaType: kind(
    'unsupported_media_type',
    415,
    (types: readonly string[]) =>
      `Send the body as ${types.join(' or ')}, in UTF-8, without Content-Encoding.`,
    ['application/json'],
  ),
  unsupportedUpload: kind(
    'unsupported_media_type',
    415,
    (types: readonly string[]) =>
      `Send the body as ${types.join(' or ')}, in UTF-8, UTF-16 or a charset of the Encoding Standard, without Content-Encoding.`,
    ['text/csv'],
  ),
};

/** The code of a refusal: stable, for programs. */
export type RefusalCode = (typeof refusals)[keyof typeof refusals]['code'];

/** All codes, sorted. */
export const REFUSAL_CODES: readonly RefusalCode[] = [
  ...new Set(Object.values(refusals).map(({ code }) => code)),
].sort();
