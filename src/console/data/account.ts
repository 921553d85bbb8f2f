import { useSignal } from '@preact/signals';
import { useCallback, useEffect } from 'preact/hooks';
import { type Answered, Problem, type RequestOf } from '../../client/index.ts';
import { isSame, patchBetween } from '../../client/merge-patch.ts';
import { call } from './api.ts';
import { type LiveChange, onChanges, tell, useMissed } from './live.ts';
import { type Loaded, type Pages, useLoaded, usePages } from './load.ts';
import type { Values } from './values.ts';

/** An account, as the service shows it to admins. */
export type Account = Answered<'GET /v1/users/:id'>;

/** The entries of the first page of the history, and those of a later one, which somebody wants who goes far back. */
const FIRST_PAGE = '30';
const LATER_PAGE = '100';

/** An account and its history, which change as others change them. */
export interface WatchedAccount {
  readonly account: Loaded<Account>;
  readonly history: Pages<LiveChange>;
  /** The entry of its deletion, where that was the last change. */
  readonly deletion: LiveChange | undefined;
}

/** How long changes are gathered before they are shown together, in milliseconds: an app may change an account at any rate. */
const GATHER_MS = 100;

/** Loads an account and its history, and keeps both up to date. */
export function useAccount(id: string): WatchedAccount {
  const account = useLoaded<Account>(id, (signal) => call('GET /v1/users/:id', { params: { id }, signal }));
  const pages = usePages<LiveChange>(id, (cursor, signal) => {
    const limit = cursor === undefined ? FIRST_PAGE : LATER_PAGE;
    return call('GET /v1/users/:id/history', { params: { id }, query: { cursor, limit }, signal });
  });
  // Beside the pages: one that was asked for earlier may come later, without it.
  const arrived = useSignal<readonly LiveChange[]>([]);
  useEffect(
    () =>
      onChanges((changes) => {
        const own = changes.filter(({ userId }) => `${userId}` === id);
        if (own.length === 0) return;
        arrived.value = [...own.toReversed(), ...arrived.value];
        account.refresh();
      }, GATHER_MS),
    [id, arrived, account.refresh],
  );
  const read = useCallback(() => {
    account.refresh();
    pages.refresh();
  }, [account.refresh, pages.refresh]);
  useMissed(read, true);
  const known = new Set(pages.items.map((item) => item.id));
  const items = [...arrived.value.filter((item) => !known.has(item.id)), ...pages.items];
  const history = { ...pages, items: items.sort((a, b) => b.version - a.version) };
  const [last] = items;
  const isGone = account.error instanceof Problem && account.error.code === 'not_found';
  return { account, history, deletion: isGone && last?.action === 'deleted' ? last : undefined };
}

/** The newest entry of an account's history, which all views are told of: that of a change of our own. `undefined` where it is not known. */
export async function tellNewest(id: number): Promise<LiveChange | undefined> {
  try {
    const { items } = await call('GET /v1/users/:id/history', {
      params: { id: `${id}` },
      query: { limit: '1' },
    });
    const [newest] = items;
    if (newest) tell(newest);
    return newest;
  } catch {
    // The change itself succeeded.
    return undefined;
  }
}

/** The fields of an account that admins can set. */
export type Patch = RequestOf<'PATCH /v1/users/:id'>['body'];

/** Another change of the same field has come first. */
export class Overtaken extends Error {
  readonly theirs: Account;

  constructor(theirs: Account) {
    super('The field has changed meanwhile.');
    this.theirs = theirs;
  }
}

/** How often a change is repeated because others have changed other fields meanwhile. */
const ATTEMPTS = 5;

/**
 * Sets one field, unless it no longer has the value in `base`, on which the new one is based: throws {@link Overtaken} then. Changes of
 * other fields are not in the way.
 */
export async function setField<Field extends keyof Patch & keyof Account>(
  base: Account,
  field: Field,
  value: Patch[Field],
): Promise<Account> {
  const params = { id: `${base.id}` };
  let { version } = base;
  for (let attempt = 1; ; attempt++) {
    try {
      const body = { [field]: value } as Patch;
      return (await call('PATCH /v1/users/:id', { params, body, version })) as Account;
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'precondition_failed' || attempt === ATTEMPTS)
        throw error;
      const theirs = await call('GET /v1/users/:id', { params });
      if (!isSame(theirs[field], base[field])) throw new Overtaken(theirs);
      version = theirs.version;
    }
  }
}

/**
 * Gives an account the preferences that `merge` makes of its present ones, by a merge patch. Returns `undefined` where `merge` does, which
 * is asked again after each change by others; those are told to `onTheirs`.
 */
export async function setPreferences(
  account: Account,
  merge: (theirs: Account) => Values | undefined,
  onTheirs: (theirs: Account) => void,
): Promise<Account | undefined> {
  const params = { id: `${account.id}` };
  let theirs = account;
  for (let attempt = 1; ; attempt++) {
    const merged = merge(theirs);
    if (merged === undefined) return undefined;
    const preferences = patchBetween(theirs.preferences, merged);
    if (Object.keys(preferences).length === 0) return theirs;
    try {
      const request = { params, body: { preferences }, version: theirs.version };
      return (await call('PATCH /v1/users/:id', request)) as Account;
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'precondition_failed' || attempt === ATTEMPTS)
        throw error;
      theirs = await call('GET /v1/users/:id', { params });
      onTheirs(theirs);
    }
  }
}
