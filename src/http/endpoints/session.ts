import { z } from 'zod';
import { SESSION_IDLE_MINUTES } from '../../domain/console-session.ts';
import { refusals } from '../../domain/refusals.ts';
import type { TokenVerifier } from '../../security/token.ts';
import { redeemCode } from '../../services/access/console-codes.ts';
import type { SessionLookUp } from '../../services/access/console-session-look-up.ts';
import {
  endSession,
  type NewSession,
  type OpenedSession,
  openSession,
} from '../../services/access/console-sessions.ts';
import { accountView } from '../../services/accounts/view.ts';
import type { Unit } from '../../store/unit.ts';
import { endpoint } from '../endpoint.ts';
import type { Browser } from '../request/browser.ts';
import { account } from '../schemas/account.ts';
import { consoleSession } from '../schemas/session.ts';

/** What the doors of the console need. */
export interface SessionDeps {
  readonly sessions: SessionLookUp;
  readonly verifier: TokenVerifier;
  /** Whether Auth.js sessions can be verified. */
  readonly acceptsAuthjs: boolean;
}

const signedIn = z.strictObject({ account, session: consoleSession });

const COOKIE = { 'Set-Cookie': 'The session, for this host alone.' };

/** The doors of the console: who is signed in, how to sign in, and how to sign out. */
export function sessionDoors({ sessions, verifier, acceptsAuthjs }: SessionDeps) {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/session',
      access: 'public',
      isDoor: true,
      summary: 'Show who is signed in to the console, and how to sign in',
      answer: {
        status: 200,
        description: 'Asking for it is no use of the session.',
        schema: z.strictObject({
          account: account.nullable().meta({ description: '`null`: nobody is signed in.' }),
          session: consoleSession.nullable(),
          idleSeconds: z.int().meta({ description: 'How long a session lasts without a request.' }),
          doors: z.strictObject({
            authjs: z
              .strictObject({
                email: z.string().nullable().meta({
                  description:
                    'Of the Auth.js session that the browser has; `null`: it has none that is valid.',
                }),
              })
              .nullable()
              .meta({ description: '`null`: Auth.js sessions are not accepted.' }),
          }),
        }),
      },
      async handle({ unit, browser }) {
        const { sessionDigest, signInToken } = browser;
        const found = sessionDigest === undefined ? null : await sessions.find(unit.em, sessionDigest);
        return { found, email: acceptsAuthjs ? await emailIn(signInToken, verifier) : null };
      },
      view: ({ found, email }) => ({
        account: found && accountView(found.account),
        session: found?.session ?? null,
        idleSeconds: SESSION_IDLE_MINUTES * 60,
        doors: { authjs: acceptsAuthjs ? { email } : null },
      }),
    }),
    endpoint({
      method: 'POST',
      path: '/v1/session',
      access: 'account',
      isDoor: true,
      summary: 'Sign in to the console with an Auth.js session or a token',
      answer: { status: 201, description: 'The browser is signed in.', schema: signedIn, headers: COOKIE },
      handle: ({ unit, actor, browser }) =>
        enter(unit, browser, { accountId: actor.id, door: browser.signInBy }),
      view: signedInView,
      headers: cookieOf,
    }),
    endpoint({
      method: 'POST',
      path: '/v1/session/code',
      access: 'public',
      isDoor: true,
      summary: 'Sign in to the console with the code of a link',
      body: {
        schema: z
          .strictObject({
            code: z.string().max(100).meta({
              description: 'What is behind `#code=` in the link of the command `accounts console`.',
            }),
          })
          .meta({ examples: [{ code: 'wEQnWbsU4ECx0dOBbiVIFpUPnqKoLw0vyJTSDA9mNB0' }] }),
        types: ['application/json'],
      },
      answer: { status: 201, description: 'The browser is signed in.', schema: signedIn, headers: COOKIE },
      refusals: [refusals.codeInvalid, refusals.rateLimited],
      handle: async ({ unit, body, browser }) =>
        enter(unit, browser, { accountId: await redeemCode(unit, body.code), door: 'code' }),
      view: signedInView,
      headers: cookieOf,
    }),
    endpoint({
      method: 'POST',
      path: '/v1/session/sign-out',
      access: 'public',
      isDoor: true,
      summary: 'Sign out of the console',
      answer: {
        status: 204,
        description: 'The session has ended, if there was one.',
        headers: { 'Set-Cookie': 'Removes the session.' },
      },
      async handle({ unit, browser }) {
        if (browser.sessionDigest !== undefined) await endSession(unit, browser.sessionDigest);
        return browser;
      },
      headers: (browser) => ({ 'Set-Cookie': browser.setSession(null) }),
    }),
  ];
}

interface Entered extends OpenedSession {
  readonly browser: Browser;
}

/** Opens a session for a browser, in the place of the one that it had. */
async function enter(
  unit: Unit,
  browser: Browser,
  { accountId, door }: Pick<NewSession, 'accountId' | 'door'>,
): Promise<Entered> {
  const { address, userAgent, sessionDigest: replaces } = browser;
  return { ...(await openSession(unit, { accountId, door, address, userAgent, replaces })), browser };
}

function signedInView({ account, session }: Entered) {
  return { account: accountView(account), session };
}

function cookieOf({ browser, token }: Entered) {
  return { 'Set-Cookie': browser.setSession(token) };
}

/** The email of a sign-in that could be used; `null` where there is none that is valid now. */
async function emailIn(token: string | undefined, verifier: TokenVerifier): Promise<string | null> {
  if (token === undefined) return null;
  return verifier.verify(token).then(
    ({ email }) => email,
    () => null,
  );
}
