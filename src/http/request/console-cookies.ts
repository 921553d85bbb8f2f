import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { SESSION_HOURS } from '../../domain/console-session.ts';
import { SIGN_IN_SECONDS } from '../../security/sealed-sign-in.ts';
import type { Forwarded } from './forwarded.ts';

/** The name of the cookie of a session. Browsers accept it over HTTPS alone, for this host alone (RFC 6265bis, section 4.1.3.2). */
const SECURE_NAME = '__Host-rollcall';

/**
 * The end of the names under a base path. A browser sends these cookies to every path, as their prefix demands: two services under two
 * paths of one host would end each other's sessions.
 */
const suffixOf = (basePath: string) => basePath.replaceAll('/', '+');

/** The name of the secure cookie of a session under a base path. */
export function secureSessionName(basePath: string): string {
  return SECURE_NAME + suffixOf(basePath);
}

/** Its name on this machine without HTTPS, where some browsers accept no secure cookie. */
const PLAIN_NAME = 'rollcall-console';

/** The names of the cookie of a sign-in at a provider, which comes back from there: from another site. */
const SIGN_IN_NAMES = { secure: '__Host-rollcall-sign-in', plain: 'rollcall-console-sign-in' };

/** How browsers reach the service. */
export interface PublicAddress {
  /** The origin, as in the setting PUBLIC_URL; `null`: what requests say. */
  readonly publicUrl: string | null;
  /** Whether requests may say that the service is on the browser's own machine, without HTTPS: not in production. */
  readonly allowsPlain: boolean;
}

/** The cookies of the console, as a browser gets them. */
export interface ConsoleCookies {
  /** The name of the session's cookie for whoever sends this request. No other site can set it, but another port of this machine can set the plain one. */
  sessionName(request: IncomingMessage): string;
  /** The `Set-Cookie` of a new session. */
  setSession(request: IncomingMessage, token: string): string;
  /** The `Set-Cookie` that removes it. */
  clearSession(request: IncomingMessage): string;
  /** The same of a sign-in at a provider. */
  signInName(request: IncomingMessage): string;
  setSignIn(request: IncomingMessage, sealed: string): string;
  clearSignIn(request: IncomingMessage): string;
  /** The origin at which the browser has reached us: PUBLIC_URL, or else what the request says. */
  origin(request: IncomingMessage): string;
}

/** Creates the cookies of the console. */
export function consoleCookies(
  { publicUrl, allowsPlain }: PublicAddress,
  forwarded: Forwarded,
  basePath: string,
): ConsoleCookies {
  const suffix = suffixOf(basePath);
  const known = publicUrl === null ? undefined : new URL(publicUrl);
  const isPlain = (request: IncomingMessage) =>
    known === undefined
      ? allowsPlain && isLoopback(hostNameOf(forwarded.host(request)))
      : known.protocol === 'http:' && isLoopback(known.hostname);
  const sessionName = (request: IncomingMessage) => (isPlain(request) ? PLAIN_NAME : SECURE_NAME) + suffix;
  const signInName = (request: IncomingMessage) =>
    (isPlain(request) ? SIGN_IN_NAMES.plain : SIGN_IN_NAMES.secure) + suffix;
  const cookie = (
    request: IncomingMessage,
    pair: string,
    sameSite: 'Strict' | 'Lax',
    maxAgeSeconds: number,
  ) =>
    `${pair}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=${sameSite}${isPlain(request) ? '' : '; Secure'}`;
  return {
    sessionName,
    setSession: (request, token) =>
      cookie(request, `${sessionName(request)}=${token}`, 'Strict', SESSION_HOURS * 3600),
    clearSession: (request) => cookie(request, `${sessionName(request)}=`, 'Strict', 0),
    signInName,
    setSignIn: (request, sealed) =>
      cookie(request, `${signInName(request)}=${sealed}`, 'Lax', SIGN_IN_SECONDS),
    clearSignIn: (request) => cookie(request, `${signInName(request)}=`, 'Lax', 0),
    origin: (request) => publicUrl ?? `http://${forwarded.host(request)}`,
  };
}

/** The name of a host in a `Host` header, without its port and in lower case; an IPv6 address without brackets. */
export function hostNameOf(host: string): string {
  const { hostname = '' } = URL.parse(`http://${host}`) ?? {};
  return hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

/** Whether the name of a host means this machine. */
function isLoopback(name: string): boolean {
  const bare = name.replace(/^\[(.*)\]$/, '$1');
  return /^(?:.+\.)?localhost$/.test(bare) || (isIP(bare) === 4 && bare.startsWith('127.')) || bare === '::1';
}
