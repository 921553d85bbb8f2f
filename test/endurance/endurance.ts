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
import { startProbes } from './load/probes.ts';
import { type Load, startLoad } from './load/workers.ts';
import { inflict, type Phase } from './phases.ts';
import { type Random, randomOf } from './random.ts';
import type { Stage } from './stage.ts';

/** How long followers may take to catch up, in milliseconds. */
const PATIENCE_MS = 60_000;

/** How a run is set up. */
export interface EnduranceOptions {
  readonly seed: number;
  /** The pause of each worker between two requests, in milliseconds. */
  readonly pauseMs: number;
  readonly outageSeconds: number;
  /** Whether each replica gets a write all the time, whatever becomes of the others. */
  readonly probes?: boolean;
}

/** What a run consists of. */
interface Parts<S> {
  readonly ledger: Ledger;
  readonly stage: S;
  readonly client: Client;
  readonly context: FaultContext;
  readonly load: Load;
  readonly followers: readonly Follower[];
}

/** A run: a service under load and faults, and its audit. */
export class Endurance<S extends Stage> {
  readonly ledger: Ledger;
  readonly stage: S;
  readonly phases: Phase[] = [];
  readonly random: Random;
  readonly #parts: Parts<S>;
  #isOver = false;

  private constructor(parts: Parts<S>) {
    this.#parts = parts;
    this.ledger = parts.ledger;
    this.stage = parts.stage;
    this.random = parts.context.random;
  }

  /** Starts the load of the service on a stage, and those who follow its feed. Closes the stage where that fails. */
  static async begin<S extends Stage>(
    stage: S,
    { seed, pauseMs, outageSeconds, probes = false }: EnduranceOptions,
  ): Promise<Endurance<S>> {
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
      const loads = [startLoad(client, people, seed, pauseMs)];
      if (probes) loads.push(await startProbes(client, stage.replicas.length));
      const load = { stop: async () => void (await Promise.all(loads.map((each) => each.stop()))) };
      return new Endurance({ ledger, stage, client, context, load, followers });
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  /** Inflicts a fault and waits for the recovery. */
  async endure(fault: Fault<S>): Promise<Phase> {
    const phase = await inflict(fault, this.stage, this.ledger, this.#parts.context);
    this.phases.push(phase);
    return phase;
  }

  /** Ends the load, and waits until the followers have all of the feed. Returns the number of changes. */
  async rest(): Promise<number> {
    this.#isOver = true;
    await this.#parts.load.stop();
    const last = (await readFeedOrder(this.stage)).at(-1);
    const haveAll = () => this.#parts.followers.every(({ entries }) => entries.at(-1) === last);
    // What is missing then is for the audit to tell.
    await until('the followers', haveAll, PATIENCE_MS).catch(() => undefined);
    await Promise.all(this.#parts.followers.map((follower) => follower.stop()));
    return (await readFeedOrder(this.stage)).length;
  }

  /** Audits it at rest. Stops the replicas, whose connections must end. */
  async audit(): Promise<Finding[]> {
    const history = await readHistory(this.stage);
    const feed = await readFeedOrder(this.stage);
    const requests = this.ledger.entries;
    const problems = this.phases.flatMap(({ problems }, n) =>
      problems.map((detail): Finding => ({ kind: 'problem', phase: n + 1, detail })),
    );
    return [
      ...problems,
      ...auditWrites(requests, history),
      ...auditVersions(requests, history),
      ...this.#parts.followers.flatMap(({ name, entries }) => auditFeed(name, entries, feed)),
      ...(await auditReplay(await this.stage.url())),
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
