import type { Account, Change, Client } from './client.ts';
import { merged } from './merge-patch.ts';
import { listen, Store } from './store.ts';

/** How one's own account is kept up to date. */
export interface AccountOptions {
  /** How often to ask for it while somebody listens, in milliseconds. Default: 60 s. It is also asked for when the page is shown again. */
  readonly pollMs?: number;
  /** Where its changes arrive at once: `(signal) => client.changes({ since: 'now', signal })`, for those who may read the feed. */
  readonly changes?: (signal: AbortSignal) => AsyncIterable<Change>;
}

/** What is known of one's own account. */
export interface AccountState {
  /** `undefined` before it is known. */
  readonly account: Account | undefined;
  /** Why it could not be asked for the last time. */
  readonly error: unknown;
}

const POLL_MS = 60_000;

/** One's own account, kept up to date. */
export class AccountStore extends Store<AccountState> {
  readonly #client: Pick<Client, 'me'>;
  readonly #options: AccountOptions;
  #asking: Promise<Account> | undefined;

  constructor(client: Pick<Client, 'me'>, options: AccountOptions = {}) {
    super({ account: undefined, error: undefined });
    this.#client = client;
    this.#options = options;
  }

  /** Asks for it now. Throws what the client throws. */
  refresh(): Promise<Account> {
    this.#asking ??= this.#client.me
      .get()
      .then(
        (account) => {
          this.put(account);
          return account;
        },
        (error: unknown) => {
          this.set({ ...this.get(), error });
          throw error;
        },
      )
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  /** Changes it. Throws what the client throws. */
  async update(...args: Parameters<Client['me']['update']>): Promise<Account> {
    const account = await this.#client.me.update(...args);
    this.put(account);
    return account;
  }

  /** Takes what was read elsewhere, unless something newer is known. */
  put(account: Account): void {
    const { account: known } = this.get();
    if (known?.id === account.id && known.version > account.version) return;
    this.set({ account, error: undefined });
  }

  /** Takes a change that the feed or a webhook has told. */
  apply(change: Change): void {
    const { account } = this.get();
    if (!account || change.userId !== account.id || change.version <= account.version) return;
    const { action, after, version, at } = change;
    // Anything else than the very next change has others before it.
    if (action !== 'updated' || after === null || version !== account.version + 1) {
      this.refresh().catch(() => undefined);
      return;
    }
    const { preferences, createdAt: _, ...fields } = after;
    this.put({
      ...account,
      ...(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as object),
      preferences: merged(account.preferences, preferences ?? {}),
      version,
      updatedAt: at,
    });
  }

  protected start(): () => void {
    const refresh = () => {
      this.refresh().catch(() => undefined);
    };
    const controller = new AbortController();
    const isHidden = () => (globalThis as { document?: { hidden: boolean } }).document?.hidden === true;
    const timer = setInterval(() => {
      if (!isHidden()) refresh();
    }, this.#options.pollMs ?? POLL_MS);
    const ends = [
      listen('window', 'online', refresh),
      listen('document', 'visibilitychange', () => {
        if (!isHidden()) refresh();
      }),
    ];
    refresh();
    this.#follow(controller.signal);
    return () => {
      clearInterval(timer);
      controller.abort();
      for (const end of ends) end();
    };
  }

  async #follow(signal: AbortSignal): Promise<void> {
    try {
      for await (const change of this.#options.changes?.(signal) ?? []) this.apply(change);
    } catch (error) {
      // It is asked for all the same, now and then.
      if (!signal.aborted) this.set({ ...this.get(), error });
    }
  }
}
