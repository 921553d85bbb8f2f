import { z } from 'zod';
import { SESSION_IDLE_MINUTES } from '../../domain/console-session.ts';
import { refusals } from '../../domain/refusals.ts';
import type { SignInSealer } from '../../security/sealed-sign-in.ts';
import { CALLBACK_PATH, type SignInProvider } from '../../security/sign-in-provider.ts';
import { InvalidToken, ProviderUnavailable, type TokenVerifier } from '../../security/token.ts';
import type { Admission } from '../../services/access/admission.ts';
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
import { gate } from '../middleware/gate.ts';
import type { Browser } from '../request/browser.ts';
import { CONSOLE_PATH, consolePath, MAX_PATH_LENGTH } from '../request/console-path.ts';
import { account } from '../schemas/account.ts';
import { consoleSession } from '../schemas/session.ts';

/** What the doors of the console need. */
export interface SessionDeps {
  readonly sessions: SessionLookUp;
  readonly verifier: TokenVerifier;
  /** Whether Auth.js sessions can be verified. */
  readonly acceptsAuthjs: boolean;
  /** The OpenID Connect provider, if there is one to sign in at. */
  readonly provider: SignInProvider | undefined;
  readonly sealer: SignInSealer;
  /** Finds the account of a sign-in at the provider, or creates it. */
  readonly admit: Admission;
  /** Told why a sign-in at the provider is refused. */
  readonly onInvalid: (cause: string, requestId: string) => void;
}

const signedIn = z.strictObject({ account, session: consoleSession }).meta({ id: 'SignedIn' });

const COOKIE = { 'Set-Cookie': 'The session, for this host alone.' };

/**
 * How many answers of the provider are finished there at once, each over a connection of its own, and how many more wait: anybody may
 * send any number of made-up ones.
 */
const EXCHANGES = { places: 16, waiting: 128 };

/** Where a sign-in at a provider begins. */
const START = '/v1/session/oidc';

/** The doors of the console: who is signed in, how to sign in, and how to sign out. */
export function sessionDoors(deps: SessionDeps, basePath: string) {
  const { sessions, verifier, acceptsAuthjs, provider, sealer } = deps;
  /** Refuses what the provider does not confirm. */
  const refusing = async <T>({ requestId }: Browser, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ProviderUnavailable) throw refusals.identityProviderUnavailable(error.cause);
      if (!(error instanceof InvalidToken)) throw error;
      deps.onInvalid(error.message, requestId);
      throw refusals.signInInvalid();
    }
  };
  const exchanges = gate(EXCHANGES);
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const leave = await exchanges.enter();
    if (leave === undefined) throw refusals.overloaded();
    try {
      return await work();
    } finally {
      leave();
    }
  };
  const redirectUriOf = ({ origin }: Browser) => `${origin}${basePath}${CALLBACK_PATH}`;
  return [
    endpoint({
      method: 'GET',
      path: '/v1/session',
      access: 'public',
      isDoor: true,
      summary: 'Show who is signed in to the console, and how to sign in',
      description: "What the console's page asks first.",
      answer: {
        status: 200,
        description: 'Asking for it is no use of the session.',
        schema: z
          .strictObject({
            account: account.nullable().meta({ description: '`null`: nobody is signed in.' }),
            session: consoleSession.nullable(),
            idleSeconds: z.int().meta({ description: 'How long a session lasts without a request.' }),
            doors: z.strictObject({
              authjs: z
                .strictObject({
                  email: z.string().nullable().meta({
                    description:
                      'Of the Auth.js session that the browser has; `null`: it has none that is valid, or somebody is signed in.',
                  }),
                })
                .nullable()
                .meta({ description: '`null`: Auth.js sessions are not accepted.' }),
              oidc: z
                .strictObject({
                  issuer: z.string(),
                  start: z.string().meta({
                    description: 'Where the browser goes to sign in; with `returnTo`, it ends at that path.',
                  }),
                })
                .nullable()
                .meta({ description: '`null`: there is no provider to sign in at.' }),
            }),
          })
          .meta({
            id: 'ConsoleState',
            examples: [
              {
                account: null,
                session: null,
                idleSeconds: 3_600,
                doors: {
                  authjs: null,
                  oidc: { issuer: 'https://id.example.com', start: '/v1/session/oidc' },
                },
              },
            ],
          }),
      },
      // A session is 256 random bits. Whether an Auth.js cookie is good depends on a secret that people choose, so that guesses count.
      refusals: [refusals.rateLimited],
      async handle({ unit, browser }) {
        const { sessionDigest, signInToken } = browser;
        const found = sessionDigest === undefined ? null : await sessions.find(unit.em, sessionDigest);
        // Whoever is signed in already need not be locked out by what the app has left in the browser.
        const token = acceptsAuthjs && found === null ? signInToken : undefined;
        return { found, email: await emailIn(token, verifier, browser.signInFailed) };
      },
      view: ({ found, email }) => ({
        account: found && accountView(found.account),
        session: found?.session ?? null,
        idleSeconds: SESSION_IDLE_MINUTES * 60,
        doors: {
          authjs: acceptsAuthjs ? { email } : null,
          oidc: provider ? { issuer: provider.issuer, start: basePath + START } : null,
        },
      }),
    }),
    endpoint({
      method: 'POST',
      path: '/v1/session',
      access: 'account',
      isDoor: true,
      summary: 'Sign in to the console with an Auth.js session or a token',
      description:
        'Opens a session of the console for the account of the sign-in that the request comes with.',
      answer: { status: 201, description: 'The browser is signed in.', schema: signedIn, headers: COOKIE },
      handle: ({ unit, actor, browser }) =>
        enter(unit, browser, {
          accountId: actor.id,
          door: browser.signInBy,
          identityId: browser.identityId,
        }),
      view: signedInView,
      cookies: cookiesOf,
    }),
    endpoint({
      method: 'POST',
      path: '/v1/session/code',
      access: 'public',
      isDoor: true,
      summary: 'Sign in to the console with the code of a link',
      description:
        'The command `accounts console` makes such a link, for an admin who cannot sign in otherwise. A code works once.',
      body: {
        schema: z
          .strictObject({
            code: z.string().max(100).meta({
              description: 'What is behind `#code=` in the link of the command `accounts console`.',
            }),
          })
          .meta({ id: 'SignInCode', examples: [{ code: 'wEQnWbsU4ECx0dOBbiVIFpUPnqKoLw0vyJTSDA9mNB0' }] }),
        types: ['application/json'],
      },
      answer: { status: 201, description: 'The browser is signed in.', schema: signedIn, headers: COOKIE },
      refusals: [refusals.codeInvalid, refusals.rateLimited],
      handle: async ({ unit, body, browser }) =>
        enter(unit, browser, { accountId: await redeemCode(unit, body.code), door: 'code' }),
      view: signedInView,
      cookies: cookiesOf,
    }),
    endpoint({
      method: 'POST',
      path: '/v1/session/sign-out',
      access: 'public',
      isDoor: true,
      summary: 'Sign out of the console',
      description: 'Ends the session that the request comes with, and removes its cookie.',
      answer: {
        status: 204,
        description: 'The session has ended, if there was one.',
        headers: { 'Set-Cookie': 'Removes the session.' },
      },
      async handle({ unit, browser }) {
        if (browser.sessionDigest !== undefined) await endSession(unit, browser.sessionDigest);
        return browser;
      },
      cookies: (browser) => [browser.setSession(null)],
    }),
    endpoint({
      method: 'GET',
      path: START,
      access: 'public',
      isDoor: true,
      isNavigation: true,
      summary: 'Begin a sign-in to the console at the OpenID Connect provider',
      description: 'For browsers, which follow the redirect: authorization code flow with PKCE.',
      query: z.strictObject({
        returnTo: z
          .string()
          .optional()
          .meta({
            description: `A path of the console, such as \`/console/accounts\`, of at most ${MAX_PATH_LENGTH} characters as a browser writes it, percent-encoded; any other is ignored.`,
          }),
      }),
      answer: {
        status: 303,
        description:
          'The browser goes to the provider; one that is refused goes to `/console/#error=CODE`, with the code of the refusal.',
        headers: {
          Location: 'The provider, or the console.',
          'Set-Cookie': 'What the sign-in continues with.',
        },
      },
      refusals: [refusals.identityProviderUnavailable],
      async handle({ browser, query, standAside }) {
        if (provider === undefined) throw refusals.notFound('provider to sign in at');
        const begun = await refusing(browser, () => standAside(() => provider.begin(redirectUriOf(browser))));
        const { url, ...pending } = begun;
        const returnTo = consolePath(query.returnTo ?? CONSOLE_PATH);
        const sealed = await sealer.seal({ ...pending, returnTo, replaces: browser.sessionDigest });
        return { url, cookie: browser.setSignIn(sealed) };
      },
      headers: ({ url }) => ({ Location: url }),
      cookies: ({ cookie }) => [cookie],
    }),
    endpoint({
      method: 'GET',
      path: CALLBACK_PATH,
      access: 'public',
      isDoor: true,
      isNavigation: true,
      isCallback: true,
      summary: 'Finish a sign-in to the console at the OpenID Connect provider',
      description: 'Where the provider sends the browser back to.',
      query: z.looseObject({
        code: z.string().optional(),
        state: z.string().optional(),
        iss: z.string().optional().meta({ description: 'The issuer (RFC 9207).' }),
        error: z.string().optional(),
      }),
      answer: {
        status: 303,
        description:
          'The browser is signed in and goes to the console; one that is refused goes to `/console/#error=CODE`, with the code of the refusal.',
        headers: { Location: 'The console.', 'Set-Cookie': 'The session, for this host alone.' },
      },
      refusals: [refusals.signInInvalid],
      async handle({ unit, browser, standAside }) {
        if (provider === undefined) throw refusals.notFound('provider to sign in at');
        const pending = browser.signIn === undefined ? undefined : await sealer.open(browser.signIn);
        if (pending === undefined) throw refusals.signInInvalid();
        const answer = new URL(`${redirectUriOf(browser)}?${browser.query}`);
        // The provider takes its code once.
        const identity = await browser.once(() =>
          refusing(browser, () => standAside(() => inTurn(() => provider.finish(answer, pending)))),
        );
        const { account, identityId } = await deps.admit(unit.em, identity, browser.requestId);
        const replaces = browser.sessionDigest ?? pending.replaces;
        const entered = await enter(unit, browser, {
          accountId: account.id,
          door: 'oidc',
          identityId,
          replaces,
        });
        return { ...entered, returnTo: pending.returnTo };
      },
      headers: ({ returnTo }) => ({ Location: returnTo }),
      cookies: ({ browser, token }) => [browser.setSession(token), browser.setSignIn(null)],
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
  {
    accountId,
    door,
    identityId,
    replaces = browser.sessionDigest,
  }: Pick<NewSession, 'accountId' | 'door'> & Partial<Pick<NewSession, 'identityId' | 'replaces'>>,
): Promise<Entered> {
  const { address, userAgent } = browser;
  const opened = await openSession(unit, { accountId, door, identityId, address, userAgent, replaces });
  browser.signedIn(opened.account);
  return { ...opened, browser };
}

function signedInView({ account, session }: Entered) {
  return { account: accountView(account), session };
}

function cookiesOf({ browser, token }: Entered) {
  return [browser.setSession(token)];
}

/** The email of a sign-in that could be used; `null` where there is none that is valid now. */
async function emailIn(
  token: string | undefined,
  verifier: TokenVerifier,
  onInvalid: () => void,
): Promise<string | null> {
  if (token === undefined) return null;
  return verifier.verify(token).then(
    ({ email }) => email,
    (error: unknown) => {
      if (error instanceof InvalidToken) onInvalid();
      return null;
    },
  );
}
