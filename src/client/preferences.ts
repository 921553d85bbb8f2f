import { AccountStore } from './account.ts';
import type { Client } from './client.ts';
import {
  composed,
  isEmpty,
  isSame,
  type Json,
  merged,
  patchAt,
  patchBetween,
  pathsOf,
  valueAt,
  without,
} from './merge-patch.ts';
import { isProblem } from './problem.ts';
import { backoff, isPassing } from './retry.ts';
import { versionOf } from './send.ts';
import { listen, Store } from './store.ts';

export { type AccountOptions, type AccountState, AccountStore } from './account.ts';

/** Where changes wait until they are saved, across restarts: `localStorage`, or anything like it. */
export interface PreferencesStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A path that has changed here and elsewhere. */
export interface Conflict {
  readonly path: readonly string[];
  /** `undefined`: removed. */
  readonly mine: unknown;
  readonly theirs: unknown;
  /** Before both changes. */
  readonly before: unknown;
}

/** How preferences are kept. */
export interface PreferencesOptions {
  /** Default: `localStorage` in browsers, and none elsewhere. */
  readonly storage?: PreferencesStorage | null;
  /** The name of what is stored. Default: `rollcall:preferences`. */
  readonly storageKey?: string;
  /** How long to wait for further changes before they are sent, in milliseconds. Default: 300. */
  readonly debounceMs?: number;
  /** Decides about a path that has changed here and elsewhere. Default: `mine`, which is the later one. */
  readonly onConflict?: (conflict: Conflict) => 'mine' | 'theirs';
  /** One's own account, where the app has it already. */
  readonly account?: AccountStore;
}

/** What is known of the preferences. */
export interface PreferencesState<Preferences> {
  /** As they are here: with the changes that are not saved yet. */
  readonly value: Preferences;
  /**
   * Whether they are on their way (`loading`), as the service has them (`saved`), changed here (`pending`), waiting for the service to be
   * reachable (`offline`), or refused (`refused`): what it does not accept is taken back.
   */
  readonly status: 'loading' | 'saved' | 'pending' | 'offline' | 'refused';
  /** Why they could not be saved. */
  readonly error: unknown;
}

/** A merge patch of preferences: `null` removes a member. */
export type PreferencesPatch<Preferences> = {
  readonly [Name in keyof Preferences]?: PreferencesPatch<Preferences[Name]> | Preferences[Name] | null;
};

/** What is stored. */
interface Stored {
  readonly account: number | undefined;
  readonly version: number;
  readonly base: Json | undefined;
  readonly pending: Json;
}

const DEBOUNCE_MS = 300;

/** How often changes are based on newer changes of others before that counts as a failure. */
const REBASES = 5;

/**
 * The preferences of one's own account: changes show at once, are sent together as a merge patch, and survive being offline. What others
 * change meanwhile is merged path by path.
 */
export class PreferencesStore<Preferences extends object = Record<string, unknown>> extends Store<
  PreferencesState<Preferences>
> {
  readonly account: AccountStore;
  readonly #client: Pick<Client, 'me'>;
  readonly #options: PreferencesOptions;
  readonly #storage: PreferencesStorage | null;
  readonly #key: string;
  /** As the service has them; `undefined` before that is known. */
  #base: Json | undefined;
  #version = 0;
  #owner: number | undefined;
  /** As they are here. */
  #value: Json = {};
  /** Changes from before the service's are known. */
  #early: Json = {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;
  #failures = 0;

  constructor(client: Pick<Client, 'me'>, options: PreferencesOptions = {}) {
    super({ value: {} as Preferences, status: 'loading', error: undefined });
    this.#client = client;
    this.#options = options;
    this.#storage =
      options.storage === undefined
        ? ((globalThis as { localStorage?: PreferencesStorage; window?: object }).window &&
            (globalThis as { localStorage?: PreferencesStorage }).localStorage) ||
          null
        : options.storage;
    this.#key = options.storageKey ?? 'rollcall:preferences';
    this.account = options.account ?? new AccountStore(client);
    const stored = this.#stored();
    if (stored) this.#adopt(stored);
    if (!isEmpty(this.#pending())) this.#schedule(0);
  }

  /** Changes them by a merge patch: `null` removes a member. They show at once, and are sent soon. */
  update(
    patch: PreferencesPatch<Preferences> | ((value: Preferences) => PreferencesPatch<Preferences>),
  ): void {
    const given = (typeof patch === 'function' ? patch(this.#value as Preferences) : patch) as Json;
    const value = merged(this.#value, given);
    if (isSame(value, this.#value) && this.#base !== undefined) return;
    this.#value = value;
    if (this.#base === undefined) this.#early = composed(this.#early, given);
    // Together with the changes of other tabs.
    this.#store(composed(this.#stored()?.pending ?? {}, given));
    this.#tell('pending');
    this.#schedule(this.#options.debounceMs ?? DEBOUNCE_MS);
  }

  /** Sends what is not saved yet, now. Throws what the client throws. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#sending?.catch(() => undefined);
    await this.#send();
  }

  /** Forgets what is not saved, and what is stored: at a sign-out. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#storage?.removeItem(this.#key);
    this.#base = undefined;
    this.#owner = undefined;
    this.#version = 0;
    this.#value = {};
    this.#early = {};
    this.#tell('loading');
  }

  protected start(): () => void {
    const ends = [
      this.account.subscribe(() => this.#take()),
      listen('window', 'online', () => this.#retry()),
      listen('window', 'pagehide', () => this.#retry()),
      listen('window', 'storage', ({ key }) => {
        if (key === this.#key) this.#takeStored();
      }),
    ];
    this.#take();
    return () => {
      for (const end of ends) end();
    };
  }

  #pending(): Json {
    return this.#base === undefined ? this.#early : patchBetween(this.#base, this.#value);
  }

  #retry(): void {
    if (!isEmpty(this.#pending())) this.flush().catch(() => undefined);
  }

  /** Takes what the account store knows. */
  #take(): void {
    const { account } = this.account.get();
    if (account) this.#rebase(account.id, account.version, account.preferences);
  }

  /** Bases the changes here on what the service has now. */
  #rebase(owner: number, version: number, theirs: Json): void {
    if (this.#owner !== undefined && this.#owner !== owner) this.forget();
    const before = this.#base;
    if (before !== undefined && version <= this.#version) return;
    let pending = this.#pending();
    const givenUp: Json[] = [];
    for (const path of pathsOf(pending)) {
      const conflict = {
        path,
        mine: valueAt(this.#value, path),
        theirs: valueAt(theirs, path),
        before: valueAt(before, path),
      };
      const hasChanged = before !== undefined && !isSame(conflict.before, conflict.theirs);
      if (!hasChanged || isSame(conflict.mine, conflict.theirs)) continue;
      if (this.#options.onConflict?.(conflict) === 'theirs') {
        const lost = patchAt(path, conflict.mine ?? null);
        pending = without(pending, lost);
        givenUp.push(lost);
      }
    }
    this.#owner = owner;
    this.#version = version;
    this.#base = theirs;
    this.#early = {};
    this.#value = merged(theirs, pending);
    const isSaved = isEmpty(this.#pending());
    this.#storeRest(givenUp);
    const { status, error } = this.get();
    if (status === 'refused') this.#tell('refused', error);
    else
      this.#tell(
        isSaved ? 'saved' : status === 'offline' ? 'offline' : 'pending',
        isSaved ? undefined : error,
      );
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#send().catch(() => undefined);
    }, ms);
  }

  #send(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let rebases = 0; ; ) {
      let pending: Json = {};
      try {
        if (this.#base === undefined) {
          await this.account.refresh();
          this.#take();
        }
        const base = this.#base ?? {};
        pending = this.#pending();
        if (isEmpty(pending)) return;
        const saved = await this.#client.me.preferences.update(pending, { version: this.#version });
        this.#failures = 0;
        this.#keep(saved, versionOf(saved) ?? this.#version, merged(base, pending));
      } catch (error) {
        if (isProblem(error, 'precondition_failed') && rebases++ < REBASES) {
          // Of the answer that says so, only the version is known.
          this.#take();
          const failed = await this.account.refresh().then(
            () => undefined,
            (error: unknown) => ({ error }),
          );
          if (failed === undefined) {
            this.#take();
            continue;
          }
          this.#fail(failed.error, pending);
          throw failed.error;
        }
        this.#fail(error, pending);
        throw error;
      }
    }
  }

  /** Takes the answer to what was sent; what has changed here since stays on top of it. */
  #keep(saved: Json, version: number, sent: Json): void {
    const later = patchBetween(sent, this.#value);
    if (version > this.#version) {
      this.#version = version;
      this.#base = saved;
      this.#value = merged(saved, later);
    }
    this.#storeRest();
    this.#tell(isEmpty(this.#pending()) ? 'saved' : 'pending');
    const { account } = this.account.get();
    if (account) this.account.put({ ...account, preferences: { ...saved }, version });
  }

  #fail(error: unknown, pending: Json): void {
    if (isPassing(error)) {
      this.#tell('offline', error);
      this.#schedule(backoff(this.#failures++, 1_000));
      return;
    }
    // Whoever signs in again sends them.
    const isSignedOut = isProblem(error) && (error.status === 401 || error.status === 403);
    if (!isSignedOut && this.#base !== undefined && isProblem(error)) {
      this.#value = merged(this.#base, patchBetween(merged(this.#base, pending), this.#value));
      this.#storeRest([pending]);
    }
    this.#tell('refused', error);
  }

  #tell(status: PreferencesState<Preferences>['status'], error?: unknown): void {
    this.set({ value: this.#value as Preferences, status, error });
  }

  #stored(): Stored | undefined {
    try {
      const text = this.#storage?.getItem(this.#key);
      return text ? (JSON.parse(text) as Stored) : undefined;
    } catch {
      // Written by something else, or not allowed to be read.
      return undefined;
    }
  }

  /** Stores what is still to be saved, less what was given up: of this tab and of others. */
  #storeRest(givenUp: readonly Json[] = []): void {
    const rest = givenUp.reduce<Json>(without, this.#stored()?.pending ?? {});
    this.#store(patchBetween(this.#base ?? {}, merged(this.#base, rest)));
  }

  #store(pending: Json): void {
    // Changes of nobody known could become those of whoever signs in next.
    if (this.#owner === undefined) return;
    try {
      const stored: Stored = { account: this.#owner, version: this.#version, base: this.#base, pending };
      this.#storage?.setItem(this.#key, JSON.stringify(stored));
    } catch {
      // Full, or not allowed: they live as long as the page then.
    }
  }

  #adopt({ account, version, base, pending }: Stored): void {
    this.#owner = account;
    this.#version = version;
    this.#base = base;
    this.#early = base === undefined ? pending : {};
    this.#value = merged(base ?? {}, pending);
    this.#tell(base === undefined ? 'loading' : isEmpty(pending) ? 'saved' : 'pending');
  }

  /** Takes what another tab has saved. */
  #takeStored(): void {
    const stored = this.#stored();
    if (stored?.base === undefined || stored.account !== this.#owner || stored.version <= this.#version)
      return;
    const { base, version, account } = stored;
    if (account !== undefined) this.#rebase(account, version, base);
  }
}

/** Keeps the preferences of one's own account. */
export function createPreferences<Preferences extends object = Record<string, unknown>>(
  client: Pick<Client, 'me'>,
  options?: PreferencesOptions,
): PreferencesStore<Preferences> {
  return new PreferencesStore<Preferences>(client, options);
}
