import { isIP } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import type { Format } from 'convict';
import { accessDomain } from '../src/domain/access.ts';
import { isEmail, normalizeEmail } from '../src/domain/email.ts';
import { isProviderUrl, type ProviderIssuer, parseIssuers } from './issuers.ts';
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

/** An origin as browsers write it (RFC 6454, section 6.2), give or take the case of its letters and a `/` at its end. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:\/\/[^\s*]+$/i.test(text) && url.href === `${url.origin}/`;
}

/** An IP address, or a network (CIDR) that is not simply everybody. */
function isNetwork(text: string): boolean {
  const [, address = '', prefix] = /^([\da-f.:]+)(?:\/([1-9]\d{0,2}))?$/i.exec(text) ?? [];
  return isIP(address) > 0 && (prefix === undefined || Number(prefix) <= (isIP(address) === 4 ? 32 : 128));
}

function quoted(texts: readonly string[]): string {
  return texts.map((text) => JSON.stringify(text)).join(', ');
}

/** The parts of a list that has commas between them, without blanks around them, empty ones and doubles. */
function listOf(text: string, normalize: (part: string) => string): string[] {
  return [...new Set(text.split(',').map((part) => normalize(part.trim())))].filter(Boolean);
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

/** What {@link isProviderUrl} asks for. */
const URL_RULE =
  'an https URL without user, query and fragment (http on this machine or outside of production)';

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
    coerce: (list: string) =>
      listOf(list, (typed) => (isEmail(normalizeEmail(typed)) ? normalizeEmail(typed) : typed)),
    validate(emails: string[]) {
      const bad = emails.filter((email) => !isEmail(email));
      must(bad.length === 0, `be email addresses separated by commas, not ${quoted(bad)}`);
    },
  },
  origins: {
    coerce: (list: string) => listOf(list, (typed) => (isOrigin(typed) ? new URL(typed).origin : typed)),
    validate(origins: string[]) {
      const bad = origins.filter((origin) => !isOrigin(origin));
      must(
        bad.length === 0,
        `be origins such as https://app.example.com, without a path or a *, separated by commas, not ${quoted(bad)}`,
      );
    },
  },
  proxies: {
    coerce: (text: string) => (/^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : listOf(text, (typed) => typed)),
    validate(trust: number | string[]) {
      const wanted =
        'be a number of proxies from 0 to 10, or addresses and networks such as 10.0.0.0/8, separated by commas';
      if (typeof trust === 'number') return must(trust <= 10, wanted);
      const bad = trust.filter((network) => !isNetwork(network));
      must(trust.length > 0, wanted);
      must(bad.length === 0, `${wanted}, not ${quoted(bad)}`);
    },
  },
  domains: {
    // As with emails: a bad one stays as it was typed.
    coerce: (list: string) => listOf(list, (typed) => accessDomain(typed) ?? typed),
    validate(domains: string[], { policy }) {
      const bad = domains.filter((domain) => accessDomain(domain) === undefined);
      must(
        bad.length === 0,
        `be domains separated by commas, as example.com or *.example.com, not ${quoted(bad)}`,
      );
      must(policy !== 'domains' || domains.length > 0, 'be set where ACCESS_POLICY is domains');
      must(policy === 'domains' || domains.length === 0, 'be left out where ACCESS_POLICY is not domains');
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
  'cookie-name': {
    // A token of RFC 9110, section 5.6.2, as RFC 6265 has it.
    validate: (value: string) => must(/^[\w!#$%&'*+.^`|~-]+$/.test(value), 'be the name of a cookie'),
  },
  claim: {
    validate: (value: string) => must(/^\S+$/.test(value), 'be the name of a claim, without blanks'),
  },
  audience: {
    coerce: (list: string) => listOf(list, (item) => item),
    validate(items: string[] | null) {
      must(items !== null, 'be set where AUTH_ISSUER or AUTH_JWKS_URL is');
      must(items.length > 0, 'be one or more, separated by commas');
    },
  },
  'provider-url': {
    validate(value: string, { httpsOnly, mayHaveQuery }) {
      must(isProviderUrl(value, { httpsOnly, mayHaveQuery }), `be ${URL_RULE}`);
    },
  },
  issuers: {
    // What is no list of issuers stays a text, for the problem to say why.
    coerce(json: string) {
      const issuers = parseIssuers(json);
      return typeof issuers === 'string' ? json : issuers;
    },
    validate(value: ProviderIssuer[] | string, { httpsOnly, besides }) {
      const issuers = typeof value === 'string' ? parseIssuers(value) : value;
      if (typeof issuers === 'string') throw new Error(`must ${issuers}`);
      const names = issuers.map(({ issuer }) => issuer);
      must(new Set(names).size === names.length, 'name each issuer once');
      must(!names.includes(besides), 'not name the issuer of AUTH_ISSUER, too');
      for (const { issuer, jwksUrl } of issuers) {
        must(isProviderUrl(issuer, { httpsOnly }), `have for each issuer ${URL_RULE}`);
        must(
          jwksUrl === null || isProviderUrl(jwksUrl, { httpsOnly, mayHaveQuery: true }),
          `have for each jwksUrl ${URL_RULE}`,
        );
      }
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
