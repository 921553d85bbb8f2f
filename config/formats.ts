import { isIP } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import type { Format } from 'convict';
import { isEmail, normalizeEmail } from '../src/domain/email.ts';
import { parseWebhooks, type Webhook, webhooksFault } from './webhooks.ts';

/** Throws what convict reports after the name of the variable: for a secret, never the value. */
function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`must ${what}`);
}

function isHost(text: string): boolean {
  // A last label of digits alone is a mistyped IPv4 address, not a name.
  return isIP(text) > 0 || /^(?:[a-z\d_-]+\.)*(?!\d+$)[a-z\d_-]+$/i.test(text);
}

function isPostgresUrl(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    /^postgres(?:ql)?:$/.test(url.protocol) &&
    url.hostname !== '' &&
    url.pathname.length > 1 &&
    // A raw / ? or # in a password ends the host early: the rest, @ included, would go where nothing is masked.
    !/[@#]/.test(url.pathname + url.search + url.hash) &&
    !/\s/.test(text) &&
    isDecodable(text)
  );
}

/** Without the quotes and blanks that some ways of setting a variable leave around it, in any case. */
function bare(text: string): string {
  return text.replace(/^[\s'"]+|[\s'"]+$/g, '').toLowerCase();
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Words of which placeholders are made, with anything but letters around them; or one sign over and over. */
const PLACEHOLDER =
  /^(?:change|me|my|your|own|a|the|secret|password|key|auth|token|example|placeholder|replace|insert|here|[^a-z])*$|^(.)\1*$/isu;

/**
 * Our formats for convict, whose own are too kind: its numbers are `parseInt`'s, which reads `12abc` as 12.
 * `coerce` never throws, or the first problem would hide the others; `validate` also gets the schema's entry.
 */
export const formats = {
  'whole-number': {
    coerce: (text: string) => (/^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : text),
    validate(value: unknown, { min, max }) {
      must(
        typeof value === 'number' && value >= min && value <= max,
        `be a whole number from ${min} to ${max}`,
      );
    },
  },
  'true-or-false': {
    coerce: (text: string) => (text === 'true' || text === 'false' ? text === 'true' : text),
    validate: (value: unknown) => must(typeof value === 'boolean', 'be true or false'),
  },
  host: {
    validate: (value: string) => must(isHost(value), 'be an IP address or a host name'),
  },
  folder: {
    coerce: (text: string) => (text.trim() ? resolve(text) : text),
    validate: (value: string) => must(isAbsolute(value), 'be the path of a folder'),
  },
  file: {
    coerce: (text: string) => (text.trim() ? resolve(text) : text),
    validate: (value: string) => must(isAbsolute(value), 'be the path of a file'),
  },
  emails: {
    // A bad address stays as it was typed, to be found again in the problem's text.
    coerce: (list: string) => [
      ...new Set(
        list
          .split(',')
          .map((typed) => (isEmail(normalizeEmail(typed)) ? normalizeEmail(typed) : typed.trim()))
          .filter(Boolean),
      ),
    ],
    validate(emails: string[]) {
      const bad = emails.filter((email) => !isEmail(email)).map((email) => JSON.stringify(email));
      must(bad.length === 0, `be email addresses separated by commas, not ${bad.join(', ')}`);
    },
  },
  'postgres-url': {
    validate(value: string | null) {
      const shape = 'postgres://user:password@host:port/database';
      must(value !== null, `be set in production, to ${shape}`);
      must(isPostgresUrl(value), `be ${shape}, with the signs @ : / ? # % of a password percent-encoded`);
    },
  },
  secret: {
    validate(value: string | null, { refusePlaceholders, example }) {
      must(value !== null, 'be set in production, to 32 bytes or more, as from: openssl rand -base64 48');
      must(Buffer.byteLength(value) >= 32, 'have 32 bytes or more, as from: openssl rand -base64 48');
      must(
        !refusePlaceholders || !(PLACEHOLDER.test(value) || bare(value) === bare(example)),
        'be a secret of your own in production, not a placeholder: openssl rand -base64 48',
      );
    },
  },
  webhooks: {
    // What is no list of webhooks stays a text, for the problem to say why.
    coerce(json: string) {
      const hooks = parseWebhooks(json);
      return typeof hooks === 'string' ? json : hooks;
    },
    validate(value: Webhook[] | string, { httpsOnly, refusePlaceholders }) {
      const hooks = typeof value === 'string' ? parseWebhooks(value) : value;
      const fault =
        typeof hooks === 'string' ? hooks : webhooksFault(hooks, { httpsOnly, refusePlaceholders });
      if (fault !== undefined) throw new Error(`must ${fault}`);
    },
  },
} satisfies Record<string, Format>;
