import { join } from 'node:path';
import { runDirectory } from '../support/run-directory.ts';
import { until } from '../support/until.ts';
import { auditConnections } from './audit/connections.ts';
import { auditFeed } from './audit/feed.ts';
import type { Finding } from './audit/finding.ts';
import { readFeedOrder, readHistory } from './audit/history.ts';
import { auditReplay } from './audit/replay.ts';
import { auditVersions } from './audit/versions.ts';
import { auditWrites } from './audit/writes.ts';
import { Client } from './client.ts';
import type { Fault, FaultContext } from './faults/index.ts';
import { Ledger } from './ledger.ts';
import { type Follower, startFollowers } from './load/followers.ts';
import { createPeople } from './load/people.ts';
import { type Load, startLoad } from './load/workers.ts';
import { inflict, type Phase } from './phases.ts';
import { type Random, randomOf } from './random.ts';
import { openStage, type Stage } from './stage.ts';

/** How long followers may take to catch up, in milliseconds. */
const PATIENCE_MS = 60_000;

/** How a run is set up. */
export interface EnduranceOptions {
  readonly seed: number;
  /** The program of the service. */
  readonly entry: string;
  /** The pause of each worker between two requests, in milliseconds. */
  readonly pauseMs: number;
  readonly outageSeconds: number;
  /** The size of the disk of PostgreSQL, where one can be mounted. Default: no disk of its own. */
  readonly diskMegabytes?: number;
  /** A folder for logs. Default: one that is removed at the end of the process. */
  readonly logs?: string | undefined;
}

/** What a run consists of. */
interface Parts {
  readonly ledger: Ledger;
  readonly stage: Stage;
  readonly client: Client;
  readonly context: FaultContext;
  readonly load: Load;
  readonly followers: readonly Follower[];
}

/** A run: a service under load and faults, and its audit. */
export class Endurance {
  readonly ledger: Ledger;
  readonly stage: Stage;
  readonly phases: Phase[] = [];
  readonly random: Random;
  readonly #parts: Parts;
  #isOver = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.ledger = parts.ledger;
    this.stage = parts.stage;
    this.random = parts.context.random;
  }

  /** Starts the service, its load, and those who follow its feed. */
  static async begin({
    seed,
    entry,
    pauseMs,
    outageSeconds,
    diskMegabytes,
    logs,
  }: EnduranceOptions): Promise<Endurance> {
    const folder = logs ?? join(runDirectory(), `endurance-${process.pid}`);
    const stage = await openStage({ entry, folder, diskMegabytes });
    try {
      const ledger = new Ledger(`e${seed}`);
      const client = new Client(
        ledger,
        stage.replicas.map(({ url }) => url),
      );
      const people = await createPeople(client);
      const context = {
        random: randomOf(seed),
        client,
        outageSeconds,
        people: people.map(({ email }) => email),
      };
      const followers = startFollowers(client);
      const load = startLoad(client, people, seed, pauseMs);
      return new Endurance({ ledger, stage, client, context, load, followers });
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  /** Inflicts a fault and waits for the recovery. */
  async endure(fault: Fault): Promise<Phase> {
    const phase = await inflict(fault, this.stage, this.ledger, this.#parts.context);
    this.phases.push(phase);
    return phase;
  }

  /** Ends the load, and waits until the followers have all of the feed. Returns the number of changes. */
  async rest(): Promise<number> {
    this.#isOver = true;
    await this.#parts.load.stop();
    const last = (await readFeedOrder(this.stage)).at(-1);
    const haveAll = () => this.#parts.followers.every(({ ids }) => ids.at(-1) === last);
    // What is missing then is for the audit to tell.
    await until('the followers', haveAll, PATIENCE_MS).catch(() => undefined);
    await Promise.all(this.#parts.followers.map((follower) => follower.stop()));
    return (await readFeedOrder(this.stage)).length;
  }

  /** Audits it at rest. Stops the replicas, whose connections must end. */
  async audit(): Promise<Finding[]> {
    const history = await readHistory(this.stage);
    const feed = await readFeedOrder(this.stage);
    const { entries } = this.ledger;
    const problems = this.phases.flatMap(({ problems }, n) =>
      problems.map((detail): Finding => ({ kind: 'problem', phase: n + 1, detail })),
    );
    return [
      ...problems,
      ...auditWrites(entries, history),
      ...auditVersions(entries, history),
      ...this.#parts.followers.flatMap(({ name, ids }) => auditFeed(name, ids, feed)),
      ...(await auditReplay(this.stage.url())),
      ...(await auditConnections(this.stage)),
    ];
  }

  /** How often each follower had to begin again. */
  restarts(): Record<string, number> {
    return Object.fromEntries(this.#parts.followers.map(({ name, restarts }) => [name, restarts()]));
  }

  /** Ends everything, and removes the data. */
  async close(): Promise<void> {
    if (!this.#isOver) {
      await Promise.all([
        this.#parts.load.stop(),
        ...this.#parts.followers.map((follower) => follower.stop()),
      ]);
    }
    await this.#parts.client.close();
    await this.stage.close();
  }
}
