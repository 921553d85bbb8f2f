import { isIP } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import type { Format } from 'convict';
import { accessDomain } from '../src/domain/access.ts';
import { isAmbiguousTyped, isEmail, normalizeEmail } from '../src/domain/email.ts';
import { parseDatabaseUrl, URL_SHAPE } from './database-url.ts';
import { isProviderUrl, type ProviderIssuer, parseIssuers } from './issuers.ts';
import { maskUrls } from './mask.ts';
import { findBrokenRequirement, parseWebhooks, type Webhook } from './webhooks.ts';

/** The default of PORT. */
export const DEFAULT_PORT = 8000;

/** The default of DATABASE_POOL_MAX. */
export const DEFAULT_POOL_MAX = 10;

/** Throws the text that convict reports after the variable's name. A requirement never quotes a secret. */
function check(isMet: boolean, requirement: string): asserts isMet {
  if (!isMet) throw new Error(`must ${requirement}`);
}

function isHost(text: string): boolean {
  // A last label of only digits is a mistyped IPv4 address, not a name.
  return isIP(text) > 0 || /^(?:[a-z\d_-]+\.)*(?!\d+$)[a-z\d_-]+$/i.test(text);
}

/**
 * An origin as browsers write it in `Origin` (RFC 6454, section 6.2), or `undefined` for anything else. Apps in a web view have
 * schemes of their own, whose origin `URL` does not know: `tauri://localhost`, `capacitor://localhost`, `app://-`.
 */
function originOf(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || /[\s*\\]/.test(text) || !/^[a-z][a-z\d+.-]*:\/\/[^/?#@]+\/?$/i.test(text))
    return undefined;
  if (/^https?:$/.test(url.protocol)) return url.origin;
  // The other schemes that browsers know have the origin `null`, or none that a page can have.
  if (/^(?:file|ftp|wss?|data|blob|javascript|about):$/.test(url.protocol)) return undefined;
  return text.toLowerCase().replace(/\/$/, '');
}

/** Whether the text is an IP address, or a network (CIDR) smaller than the whole internet. */
function isNetwork(text: string): boolean {
  const [, address = '', prefix] = /^([\da-f.:]+)(?:\/([1-9]\d{0,2}))?$/i.exec(text) ?? [];
  return isIP(address) > 0 && (prefix === undefined || Number(prefix) <= (isIP(address) === 4 ? 32 : 128));
}

function quoteAll(texts: readonly string[]): string {
  return texts.map((text) => JSON.stringify(maskUrls(text))).join(', ');
}

/** The issuers that these variables name. Lists that are no lists are a problem of their own. */
function namedIssuers({ AUTH_ISSUER, AUTH_ISSUERS = '[]' }: NodeJS.Dict<string>): string[] {
  const listed = parseIssuers(AUTH_ISSUERS);
  return [AUTH_ISSUER ?? [], typeof listed === 'string' ? [] : listed.map(({ issuer }) => issuer)].flat(2);
}

/** What describes the single issuer would be ignored without it. */
const ISSUER_RULE =
  'not be set unless AUTH_ISSUER or AUTH_JWKS_URL is; entries of AUTH_ISSUERS have their own';

/** The formats of lists, which may be too long for a variable and so may come from a file. */
export const LIST_FORMATS: ReadonlySet<unknown> = new Set<keyof typeof formats>([
  'audience',
  'claims',
  'clients',
  'domains',
  'emails',
  'header-names',
  'hosts',
  'issuers',
  'origins',
  'proxies',
  'replica-urls',
  'webhooks',
]);

/** Splits a list with commas, or with one item a line. Trims its items; drops empty items and duplicates. */
function splitList(text: string, normalize: (part: string) => string, between = /[,\n]/): string[] {
  return [...new Set(text.split(between).map((part) => normalize(part.trim())))].filter(Boolean);
}

/** A comma between URLs: one inside of a URL, as in a password, has no scheme behind it. */
const BETWEEN_URLS = /[,\n](?=\s*(?:[a-z][a-z\d+.-]*:\/\/|[,\n]|$))/i;

/** Removes the quotes and blanks that some shells and tools leave around a value, and ignores case. */
function unwrap(text: string): string {
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

/** The requirement of {@link isProviderUrl}. */
function urlRule(mayHaveQuery: boolean): string {
  const without = mayHaveQuery ? 'user or fragment' : 'user, query or fragment';
  return `an https URL without ${without} (http is allowed on this machine and outside production)`;
}

/** A token (RFC 9110, section 5.6.2). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/** Typical words of a placeholder, with anything but letters between them; or one character repeated. */
const PLACEHOLDER =
  /^(?:change|me|my|your|own|a|the|secret|password|key|auth|token|example|placeholder|replace|insert|here|[^a-z])*$|^(.)\1*$/isu;

/**
 * The formats of the schema. They are stricter than convict's own, which parse numbers with `parseInt` and so read
 * `12abc` as 12. `coerce` never throws, because the first problem would hide the others. `validate` also receives the
 * schema entry.
 */
export const formats = {
  'whole-number': {
    coerce: (text: string) => (/^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : text),
    validate(value: unknown, { min, max }) {
      check(
        typeof value === 'number' && value >= min && value <= max,
        `be a whole number from ${min} to ${max}`,
      );
    },
  },
  transfers: {
    coerce: (text: string) => (/^[1-9]\d*$/.test(text) ? Number(text) : text),
    validate(value: number | string | null, { poolMax }) {
      // A pool size that is no number is a problem of its own.
      const most = Number(poolMax ?? DEFAULT_POOL_MAX) - 1;
      const isMet = value === null || (typeof value === 'number' && !(value > most));
      check(isMet, `be a whole number from 1 to ${most || 1}, fewer than DATABASE_POOL_MAX`);
    },
  },
  'further-port': {
    coerce: (text: string) => (/^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : text),
    validate(value: number | string | null, { port = `${DEFAULT_PORT}` }) {
      const isPort = value === null || (typeof value === 'number' && value <= 65_535);
      check(
        isPort && (value === 0 || `${value}` !== port),
        'be a whole number from 0 to 65535, other than PORT',
      );
    },
  },
  'true-or-false': {
    coerce: (text: string) => (text === 'true' || text === 'false' ? text === 'true' : text),
    validate: (value: unknown) => check(typeof value === 'boolean', 'be true or false'),
  },
  host: {
    validate: (value: string) => check(isHost(value), 'be an IP address or a host name'),
  },
  'base-path': {
    coerce: (text: string) => text.replace(/\/+$/, ''),
    validate(path: string) {
      // Unreserved characters alone (RFC 3986, section 2.3), so that no proxy writes it in another way.
      const isPath = /^(?:\/[\w.~-]+)*$/.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path);
      check(isPath, 'be a path such as /rollcall, of letters, digits and - . _ ~');
    },
  },
  folder: {
    coerce: (text: string) => (text.trim() ? resolve(text) : text),
    validate: (value: string) => check(isAbsolute(value), 'be the path of a folder'),
  },
  file: {
    coerce: (text: string) => (text.trim() ? resolve(text) : text),
    validate: (value: string) => check(isAbsolute(value), 'be the path of a file'),
  },
  emails: {
    // An invalid address keeps its spelling, so that the problem quotes what the operator wrote.
    coerce: (list: string) =>
      splitList(list, (typed) => {
        const email = normalizeEmail(typed);
        return isEmail(email) && !isAmbiguousTyped(typed) ? email : typed;
      }),
    validate(emails: string[]) {
      const invalid = emails.filter((email) => !isEmail(email));
      check(invalid.length === 0, `be email addresses separated by commas, not ${quoteAll(invalid)}`);
    },
  },
  origins: {
    coerce: (list: string) => splitList(list, (typed) => originOf(typed) ?? typed),
    validate(origins: string[]) {
      const invalid = origins.filter((origin) => originOf(origin) === undefined);
      check(
        invalid.length === 0,
        `be origins such as https://app.example.com or tauri://localhost, without a path or a *, separated by commas, not ${quoteAll(invalid)}`,
      );
    },
  },
  'public-url': {
    coerce: (text: string) => originOf(text) ?? text,
    validate(text: string, { httpsOnly }) {
      const isMet = originOf(text) === text && isProviderUrl(text, { httpsOnly });
      check(
        isMet,
        'be an https origin without a path (http is allowed on this machine and outside production)',
      );
    },
  },
  'console-client': {
    validate(value: string | null, { console: texts, needsPublicUrl }) {
      if (value === null) return;
      check(/^[\x21-\x7e]+$/.test(value), 'be a client id, of printable ASCII characters without blanks');
      const { CONSOLE_OIDC_ISSUER, PUBLIC_URL } = texts as NodeJS.Dict<string>;
      const issuers = namedIssuers(texts);
      check(
        CONSOLE_OIDC_ISSUER !== undefined || issuers.length === 1 || texts.AUTH_ISSUER !== undefined,
        issuers.length === 0
          ? 'not be set without an issuer: set AUTH_ISSUER'
          : 'not be set with several issuers in AUTH_ISSUERS, unless CONSOLE_OIDC_ISSUER names one of them',
      );
      check(
        !needsPublicUrl || PUBLIC_URL !== undefined,
        'not be set in production without PUBLIC_URL, to which the issuer sends browsers back',
      );
    },
  },
  'client-secret': {
    validate: (value: string | null) =>
      check(
        value === null || /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value),
        'be printable ASCII characters',
      ),
  },
  'console-issuer': {
    validate(value: string | null, { console: texts }) {
      const issuers = namedIssuers(texts);
      const isOne = value === null || (value.trim() !== '' && issuers.includes(value));
      check(isOne, 'be AUTH_ISSUER or an issuer of AUTH_ISSUERS');
    },
  },
  'proxy-url': {
    // Without a scheme, as curl takes it too.
    coerce: (text: string) => (text.includes('://') ? text : `http://${text}`),
    validate(text: string) {
      const url = URL.parse(text);
      const isProxy =
        url !== null && /^https?:$/.test(url.protocol) && /^\/?$/.test(url.pathname + url.search);
      check(
        isProxy && isDecodable(url.username + url.password),
        'be http://user:password@host:port, an HTTP proxy',
      );
    },
  },
  hosts: {
    coerce: (list: string) => splitList(list.replace(/\s+/g, ','), (host) => host),
    validate: () => undefined,
  },
  'header-names': {
    coerce: (list: string) => splitList(list, (name) => name),
    validate(names: string[]) {
      const invalid = names.filter((name) => !TOKEN.test(name));
      check(invalid.length === 0, `be header names separated by commas, not ${quoteAll(invalid)}`);
    },
  },
  proxies: {
    coerce: (text: string) =>
      /^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : splitList(text, (typed) => typed),
    validate(trust: number | string[]) {
      const wanted =
        'be a number of proxies from 0 to 10, or addresses and networks such as 10.0.0.0/8, separated by commas';
      if (typeof trust === 'number') return check(trust <= 10, wanted);
      const invalid = trust.filter((network) => !isNetwork(network));
      check(trust.length > 0, wanted);
      check(invalid.length === 0, `${wanted}, not ${quoteAll(invalid)}`);
    },
  },
  domains: {
    // As with emails: an invalid domain keeps its spelling.
    coerce: (list: string) => splitList(list, (typed) => accessDomain(typed) ?? typed),
    validate(domains: string[], { policy, isLimit, hasIssuer }) {
      const invalid = domains.filter((domain) => accessDomain(domain) === undefined);
      check(
        invalid.length === 0,
        `be domains such as example.com or *.example.com, separated by commas, not ${quoteAll(invalid)}`,
      );
      if (isLimit) return check(hasIssuer || domains.length === 0, ISSUER_RULE);
      check(policy !== 'domains' || domains.length > 0, 'be set when ACCESS_POLICY is domains');
      check(policy === 'domains' || domains.length === 0, 'not be set unless ACCESS_POLICY is domains');
    },
  },
  'postgres-url': {
    validate(value: string | null) {
      check(value !== null, `be set in production, to ${URL_SHAPE}`);
      parseDatabaseUrl(value);
    },
  },
  'replica-urls': {
    coerce: (list: string) => splitList(list, (url) => url, BETWEEN_URLS),
    validate(urls: string[], { primary }) {
      for (const url of urls) {
        const { hosts, database } = parseDatabaseUrl(url);
        const isOne = hosts.length === 1 && !database.includes(',');
        check(isOne, `be ${URL_SHAPE} for each server, separated by commas`);
      }
      check(urls.length === 0 || primary !== undefined, 'not be set unless DATABASE_URL is');
    },
  },
  secret: {
    validate(value: string | null, { refusePlaceholders, example }) {
      check(
        value !== null,
        'be set in production, to 32 bytes or more; generate it with: openssl rand -base64 48 (or set AUTH_ISSUER, AUTH_JWKS_URL or AUTH_ISSUERS)',
      );
      check(
        Buffer.byteLength(value) >= 32,
        'have 32 bytes or more; generate it with: openssl rand -base64 48',
      );
      check(
        !refusePlaceholders || !(PLACEHOLDER.test(value) || unwrap(value) === unwrap(example)),
        'not be a placeholder in production; generate it with: openssl rand -base64 48',
      );
    },
  },
  'cookie-name': {
    // As RFC 6265 requires.
    validate: (value: string) => check(TOKEN.test(value), 'be a valid cookie name'),
  },
  claims: {
    coerce: (list: string) => splitList(list, (item) => item),
    validate(claims: string[], { mayBeEmpty }) {
      const invalid = claims.filter((claim) => !/^\S+$/.test(claim));
      check(
        invalid.length === 0,
        `be claim names without spaces, separated by commas, not ${quoteAll(invalid)}`,
      );
      check(mayBeEmpty || claims.length > 0, 'be one or more claim names, separated by commas');
    },
  },
  clients: {
    coerce: (list: string) => splitList(list, (item) => item),
    validate: (items: string[], { hasIssuer }) => check(hasIssuer || items.length === 0, ISSUER_RULE),
  },
  audience: {
    coerce: (list: string) => splitList(list, (item) => item),
    validate(items: string[] | null) {
      check(items !== null, 'be set when AUTH_ISSUER or AUTH_JWKS_URL is set, unless AUTH_CLIENTS is');
      check(items.length > 0, 'be one or more audiences, separated by commas');
    },
  },
  'provider-url': {
    validate(value: string, { httpsOnly, mayHaveQuery }) {
      check(isProviderUrl(value, { httpsOnly, mayHaveQuery }), `be ${urlRule(mayHaveQuery)}`);
    },
  },
  issuers: {
    // An invalid list stays a text, so that `validate` can report why.
    coerce(json: string) {
      const issuers = parseIssuers(json);
      return typeof issuers === 'string' ? json : issuers;
    },
    validate(value: ProviderIssuer[] | string, { httpsOnly, primaryIssuer }) {
      const issuers = typeof value === 'string' ? parseIssuers(value) : value;
      if (typeof issuers === 'string') throw new Error(`must ${issuers}`);
      const names = issuers.map(({ issuer }) => issuer);
      check(new Set(names).size === names.length, 'name each issuer once');
      check(!names.includes(primaryIssuer), 'not repeat the issuer of AUTH_ISSUER');
      for (const { issuer, jwksUrl } of issuers) {
        check(isProviderUrl(issuer, { httpsOnly }), `give each issuer as ${urlRule(false)}`);
        check(
          jwksUrl === null || isProviderUrl(jwksUrl, { httpsOnly, mayHaveQuery: true }),
          `give each jwksUrl as ${urlRule(true)}`,
        );
      }
    },
  },
  webhooks: {
    // An invalid list stays a text, so that `validate` can report why.
    coerce(json: string) {
      const hooks = parseWebhooks(json);
      return typeof hooks === 'string' ? json : hooks;
    },
    validate(value: Webhook[] | string, { httpsOnly, refusePlaceholders }) {
      const hooks = typeof value === 'string' ? parseWebhooks(value) : value;
      const requirement =
        typeof hooks === 'string' ? hooks : findBrokenRequirement(hooks, { httpsOnly, refusePlaceholders });
      if (requirement !== undefined) throw new Error(`must ${requirement}`);
    },
  },
} satisfies Record<string, Format>;
