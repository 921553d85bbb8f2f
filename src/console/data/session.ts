import { computed, effect, signal } from '@preact/signals';
import { type Answered, Unreachable } from '../../client/index.ts';
import { call, endWaiting, hasSessionEnded, isOnline, isRoleDoubted } from './api.ts';
import { onLongSilence } from './attention.ts';
import { dropDrafts, mayLeave } from './drafts.ts';
import { BASE_PATH, viewUrl } from './place.ts';
import { REMEMBERED } from './remembered.ts';

/** Who is signed in to the console, and how to sign in. */
export type SessionInfo = Answered<'GET /v1/session'>;

/** `undefined` until the service has said it. */
export const session = signal<SessionInfo | undefined>(undefined);

/** Why it is not known. */
export const sessionError = signal<unknown>(undefined);

/** The account that is signed in. */
export const me = computed(() => session.value?.account ?? undefined);

const ROLE = REMEMBERED.role;

/** The role that was signed in here last: the page begins with it, and need not wait until the service has confirmed it. */
const expectedRole = localStorage.getItem(ROLE) ?? undefined;

/** Whether somebody is signed in, as far as it is known. */
export const isSignedIn = computed(() =>
  session.value === undefined ? expectedRole !== undefined : me.value !== undefined,
);

/** Whether it is an admin that may act. */
export const isAdmin = computed(() =>
  session.value === undefined
    ? expectedRole === 'admin'
    : me.value?.role === 'admin' && me.value.status === 'active',
);

effect(() => {
  if (session.value === undefined) return;
  if (me.value === undefined) localStorage.removeItem(ROLE);
  else localStorage.setItem(ROLE, isAdmin.value ? 'admin' : 'user');
});

/** Asks the service who is signed in. */
export async function loadSession(): Promise<void> {
  try {
    const answer = await call('GET /v1/session');
    // Whoever has only lost the session stays on the page, under the way in: nothing typed is lost.
    const before = me.peek();
    const account = answer.account ?? (hasSessionEnded.peek() ? (before ?? null) : null);
    session.value = { ...answer, account };
    sessionError.value = undefined;
    if (answer.account) endWaiting(answer.account.id === before?.id);
  } catch (error) {
    sessionError.value = error;
  }
}

// The session lasts as long as somebody uses the page; whoever has lost it is told.
onLongSilence(() => {
  if (me.peek() !== undefined) call('GET /v1/me').catch(() => undefined);
});

/** How long the page waits before it looks for a service that cannot be reached, in milliseconds. */
const LOOK_MS = 3_000;
const MAX_LOOK_MS = 60_000;

/** How long the service is reached before the next loss of it is another one, in milliseconds. */
const STEADY_MS = 60_000;

let lookMs = LOOK_MS;
let backAt = Number.NEGATIVE_INFINITY;

// No browser says when a service is there again.
effect(() => {
  if (isOnline.value) return;
  // Where one request alone never arrives, each look finds the service, and the view asks in vain again.
  lookMs = Date.now() - backAt < STEADY_MS ? Math.min(2 * lookMs, MAX_LOOK_MS) : LOOK_MS;
  let isLooking = false;
  const look = async () => {
    if (isLooking || document.hidden) return;
    isLooking = true;
    if (me.peek() === undefined) await loadSession();
    else await call('GET /v1/me').catch(() => undefined);
    isLooking = false;
  };
  const timer = setInterval(look, lookMs);
  document.addEventListener('visibilitychange', look);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', look);
    backAt = Date.now();
  };
});

// Whoever is demoted while the page is open is shown what is still theirs.
effect(() => {
  if (!isRoleDoubted.value) return;
  isRoleDoubted.value = false;
  if (isAdmin.peek()) loadSession();
});

/** The one-time code of the link that was opened here, taken out of the address at once, so that nobody reads it there. */
export const linkCode = signal(take('code'));

// A link to the page that is open already loads nothing.
addEventListener('hashchange', () => {
  linkCode.value = take('code') ?? linkCode.peek();
});

/** Why a sign-in at the identity provider, from which the browser has come back, was refused: the code of the refusal. */
export const refusedBecause = signal(take('error'));

function take(name: string): string | undefined {
  const value = new URLSearchParams(location.hash.slice(1)).get(name) ?? undefined;
  if (value !== undefined) history.replaceState(null, '', location.pathname + location.search);
  return value;
}

/** Where the browser signs in at the identity provider, and comes back to this view; `undefined` where there is none. */
export const providerUrl = computed(() => {
  const start = session.value?.doors.oidc?.start;
  const view = (location.pathname + location.search).slice(BASE_PATH.length);
  return start && `${start}?${new URLSearchParams({ returnTo: view })}`;
});

/** Its name. */
export const providerName = computed(() => {
  const issuer = session.value?.doors.oidc?.issuer;
  return issuer && (URL.parse(issuer)?.host ?? issuer);
});

/** Signs in with the code of the link. Throws what the service refuses. */
export async function signInByLink(code: string): Promise<void> {
  await redeem(code);
  await loadSession();
}

/** Signs in with the code of the link in the place of who is signed in, unless the reader would rather keep unsaved work. Throws what the service refuses. */
export async function changeByLink(code: string): Promise<void> {
  if (!(await mayLeave())) return;
  await redeem(code);
  openAnew(location.href);
}

async function redeem(code: string): Promise<void> {
  try {
    await call('POST /v1/session/code', { body: { code } });
  } catch (error) {
    // It works once, and may not have arrived.
    if (!(error instanceof Unreachable)) linkCode.value = undefined;
    throw error;
  }
  linkCode.value = undefined;
}

/** Signs in with the app's own session in this browser. Throws what the service refuses. */
export async function signInByApp(): Promise<void> {
  await call('POST /v1/session', {});
  await loadSession();
}

/** Ends the session, and shows the way in; stays where the reader has unsaved work and would rather keep it. */
export async function signOut(): Promise<void> {
  if (!(await mayLeave())) return;
  await call('POST /v1/session/sign-out', {});
  leavePage();
}

/** Opens the console anew, so that nothing of the account stays in memory. */
export function leavePage(): void {
  openAnew(viewUrl());
}

function openAnew(url: string): void {
  dropDrafts();
  localStorage.removeItem(ROLE);
  location.assign(url);
}
