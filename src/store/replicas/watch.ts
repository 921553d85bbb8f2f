import { setTimeout as delay } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { SideConnection } from '../../database/side-connection.ts';
import { renewEpoch } from '../feed-epoch.ts';
import type { Fault, FaultKind } from './fault.ts';
import { PRIMARY, PrimaryLog, type PrimarySeen } from './primary-log.ts';
import type { ReadReplica } from './read-replica.ts';

/** How long to wait between checks, in milliseconds. */
const CHECK_MS = 1_000;

/** Told of replicas that are left out, once for each kind of fault, and of those that are used, at first and again. */
export interface ReplicaEvents {
  readonly onLeftOut: (number: number, fault: Fault) => void;
  readonly onUsed: (number: number) => void;
  /** Told of the epoch in which the primary answered. */
  readonly onEpoch: (epoch: string) => void;
  /** Told why answers have no bookmark, once a minute at most. */
  readonly onNoBookmark: (reason: string) => void;
}

/** What is watched. */
export interface Watched {
  /** An EntityManager of the primary. */
  readonly em: EntityManager;
  /** A connection to the primary. */
  readonly side: SideConnection;
  readonly replicas: readonly ReadReplica[];
}

/** Checks the replicas of a primary beside the requests, once a second. */
export class ReplicaWatch {
  /** Where the primary's log is, as far as it has been asked. */
  readonly primary = new PrimaryLog();
  readonly #watched: Watched;
  readonly #stop = new AbortController();
  /** What the last check found, and what was told last. */
  readonly #found = new Map<ReadReplica, FaultKind | 'none'>();
  readonly #told = new Map<ReadReplica, FaultKind | 'none'>();

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** Begins to check. */
  async start(events: ReplicaEvents): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#askPrimary(events);
      if (signal.aborted) return;
      // One that does not answer must not make the others wait.
      for (const replica of this.#watched.replicas)
        void replica.check(this.primary).then((isChecked) => isChecked && this.#tell(replica, events));
      await delay(CHECK_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Checks no more, and closes the connection. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watched.side.close();
  }

  async #askPrimary({ onEpoch }: ReplicaEvents): Promise<void> {
    const { side, em } = this.#watched;
    const takenAt = performance.now();
    try {
      const [seen] = await side.ask<PrimarySeen>({ text: PRIMARY, values: [] });
      const { epoch = null } = seen ?? {};
      onEpoch(epoch ?? (await renewEpoch(em)).epoch);
      if (epoch !== null) this.primary.note({ ...(seen as PrimarySeen), epoch }, takenAt);
    } catch (error) {
      // Requests find out that the primary is gone, and say so. Without its answers, replicas become late.
      this.primary.silence = (error as Error).message;
    }
  }

  #tell(replica: ReadReplica, { onLeftOut, onUsed }: ReplicaEvents): void {
    if (this.#stop.signal.aborted) return;
    const { fault } = replica;
    const kind = fault?.kind ?? 'none';
    const before = this.#found.get(replica);
    this.#found.set(replica, kind);
    // One that is late for a moment is not worth a word.
    if (kind === 'late' && before !== 'late') return;
    if (this.#told.get(replica) === kind) return;
    this.#told.set(replica, kind);
    if (fault === undefined) onUsed(replica.number);
    else onLeftOut(replica.number, fault);
  }
}
