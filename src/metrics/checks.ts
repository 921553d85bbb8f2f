import type { StartState } from '../boot/start-progress.ts';
import type { Lifecycle } from '../http/server/lifecycle.ts';
import type { ChangeFeed } from '../services/feed/change-feed.ts';
import type { WebhookBacklog } from '../services/webhooks/backlog.ts';
import type { Replicas } from '../store/replicas/replicas.ts';
import type { Figures } from './figures.ts';
import { type Standing, Standings } from './standing.ts';

/** The age of a held-back change from which on the feed counts as degraded, in seconds. */
const HELD_BACK_S = 60;

/** The state of a process and of everything that it needs. */
export interface Report {
  readonly status: 'ready' | 'not_ready';
  readonly phase: Lifecycle['phase'];
  /** How far the start is, until it has ended. */
  readonly start?: StartState;
  readonly checks: {
    readonly database: Standing;
    /** By the number of the read replica. */
    readonly replicas: Readonly<Record<string, Standing>>;
    readonly migrations: Standing;
    readonly feed: Standing;
    /** By the name of the issuer. */
    readonly providers: Readonly<Record<string, Standing>>;
    /** By the name of the webhook. */
    readonly webhooks: Readonly<Record<string, Standing>>;
  };
}

/** What the checks look at. */
export interface ChecksOptions {
  readonly lifecycle: Pick<Lifecycle, 'phase'>;
  readonly start: StartState;
  readonly feed: Pick<ChangeFeed, 'isFailing'>;
  /** The names of the issuers and of the webhooks. */
  readonly issuers: readonly string[];
  readonly webhooks: readonly string[];
  readonly replicas?: Pick<Replicas, 'standings'> | undefined;
}

/** Reports on a process. A state that nobody has asked for is seen when somebody does; that of an issuer when its keys are fetched. */
export class Checks {
  readonly #standings = new Standings();
  readonly #providers = new Map<string, Standing>();
  #hearsOfChanges = true;

  /** The keys of an issuer have been fetched, or could not be. */
  noteProvider(issuer: string, areFetched: boolean): void {
    const reason = areFetched ? undefined : 'its keys cannot be fetched; the log has the reason';
    this.#providers.set(
      issuer,
      this.#standings.of(`provider ${issuer}`, areFetched ? 'ok' : 'failing', reason),
    );
  }

  /** Notifications of changes arrive, or no longer. */
  noteNotifications(arrive: boolean): void {
    this.#hearsOfChanges = arrive;
  }

  /** The report by these figures. */
  report(
    { lifecycle: { phase }, start, feed, issuers, webhooks, replicas }: ChecksOptions,
    figures: Figures,
  ): Report {
    const database = this.#database(figures);
    const migrations = this.#migrations(figures);
    const isReady = phase === 'ready' && database.state === 'ok' && migrations.state === 'ok';
    const unused = (issuer: string) =>
      this.#standings.of(`provider ${issuer}`, 'unknown', 'no token of it has come yet');
    return {
      status: isReady ? 'ready' : 'not_ready',
      phase,
      ...(phase === 'booting' && { start }),
      checks: {
        database,
        replicas: this.#replicas(replicas),
        migrations,
        feed: this.#feed(feed, figures),
        providers: Object.fromEntries(
          issuers.map((name) => [name, this.#providers.get(name) ?? unused(name)]),
        ),
        webhooks: Object.fromEntries(webhooks.map((name) => [name, this.#webhook(name, figures)])),
      },
    };
  }

  #database({ isUp, reason }: Figures): Standing {
    return this.#standings.of('database', isUp ? 'ok' : 'failing', reason);
  }

  /** A replica that is left out makes nobody wait: the primary is read. */
  #replicas(replicas: ChecksOptions['replicas']): Record<string, Standing> {
    return Object.fromEntries(
      (replicas?.standings() ?? []).map(({ number, isUsed, isPrimary, reason }) => [
        `${number}`,
        this.#standings.of(
          `replica ${number}`,
          isUsed || isPrimary ? 'ok' : 'degraded',
          isUsed ? undefined : `left out: ${reason ?? 'its last check is too old'}`,
        ),
      ]),
    );
  }

  #migrations({ pending }: Figures): Standing {
    if (pending === undefined)
      return this.#standings.of('migrations', 'unknown', 'the database does not say');
    if (pending.length > 0)
      return this.#standings.of('migrations', 'failing', `pending: ${pending.join(', ')}`);
    return this.#standings.of('migrations', 'ok');
  }

  #feed({ isFailing }: ChecksOptions['feed'], { feedLag }: Figures): Standing {
    if (isFailing) return this.#standings.of('feed', 'failing', 'it cannot be read; the log has the reason');
    if (feedLag === undefined) return this.#standings.of('feed', 'unknown', 'the database does not say');
    if (feedLag > HELD_BACK_S) {
      const reason = `a transaction holds changes back that are up to ${Math.round(feedLag)} s old`;
      return this.#standings.of('feed', 'degraded', reason);
    }
    if (!this.#hearsOfChanges)
      return this.#standings.of('feed', 'degraded', 'no notifications of changes; asking every second');
    return this.#standings.of('feed', 'ok');
  }

  #webhook(name: string, { webhooks }: Figures): Standing {
    const key = `webhook ${name}`;
    const found = webhooks?.find((one) => one.name === name);
    if (found === undefined) return this.#standings.of(key, 'unknown', 'the database does not say');
    if (found.isParked) return this.#standings.of(key, 'failing', `parked; ${behind(found)}`);
    if (found.attempts > 0) {
      const attempts = found.attempts === 1 ? '1 attempt' : `${found.attempts} attempts`;
      return this.#standings.of(key, 'degraded', `retrying after ${attempts}; ${behind(found)}`);
    }
    return this.#standings.of(key, 'ok');
  }
}

function behind({ changes, oldestSeconds }: WebhookBacklog): string {
  return `${changes} ${changes === 1 ? 'change' : 'changes'} behind, by ${Math.round(oldestSeconds)} s`;
}
