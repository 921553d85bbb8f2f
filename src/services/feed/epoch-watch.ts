import type { RenewedEpoch } from '../../store/feed-epoch.ts';

/** What an {@link EpochWatch} needs. */
export interface EpochWatchDeps {
  /** Asks the database for its present epoch. */
  readonly ask: () => Promise<RenewedEpoch>;
  /** The database is in another epoch: its server may lack changes that were served. Called once for each. */
  readonly onEpoch: (known: Partial<Pick<RenewedEpoch, 'isForkKnown'>>) => void;
}

/** The epochs that this process has seen the database in, whoever began them and whoever saw them first. */
export class EpochWatch {
  readonly #deps: EpochWatchDeps;
  readonly #seen = new Set<string>();

  constructor(deps: EpochWatchDeps) {
    this.#deps = deps;
  }

  /** Notes the epoch of an answer. The first one is no news. */
  readonly saw = (epoch: string): void => {
    if (this.#seen.has(epoch)) return;
    const isNews = this.#seen.size > 0;
    this.#seen.add(epoch);
    if (isNews) void this.#askAndTell();
  };

  /** Notes the epoch that the database has said it is in. It is news where this answer began it after another one. */
  renewed({ epoch, hasChanged, isForkKnown }: RenewedEpoch): void {
    this.#seen.add(epoch);
    if (hasChanged) this.#deps.onEpoch({ isForkKnown });
  }

  async #askAndTell(): Promise<void> {
    const { ask, onEpoch } = this.#deps;
    // It is news also where the database is gone again.
    const { isForkKnown } = await ask().catch((): Partial<RenewedEpoch> => ({}));
    onEpoch(isForkKnown === undefined ? {} : { isForkKnown });
  }
}
