import { EPOCH, type ServerRow, type Sight } from '../feed-epoch.ts';
import { type LogEnd, STARTED_AT } from '../log-end.ts';

/** The primary at a moment. */
export interface PrimarySeen extends ServerRow {
  /** The cluster that it belongs to, as all of its standbys do. */
  readonly system: string;
  /** As a {@link LogEnd} has it. */
  readonly startedAt: string;
  /** By its clock. */
  readonly at: Date;
}

/**
 * The statement that asks for it. Of the log it tells what is on the disk, which is all that a standby can have. The clock comes
 * first: whatever had been committed by then is in that log.
 */
export const PRIMARY = `
  select clock_timestamp() as at, epoch::text, (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text as lsn,
         (select system_identifier::text from pg_control_system()) as system,
         ${STARTED_AT}
    from (${EPOCH}) as present`;

/** Which life of which cluster, and which of its servers. */
export interface PrimaryLife {
  readonly epoch: string;
  readonly system: string;
  readonly startedAt: string;
}

/** Where the primary's log was at a moment. */
interface Sample {
  /** The primary's clock. */
  readonly at: Date;
  /** This process's clock, in milliseconds of `performance`. */
  readonly takenAt: number;
  readonly lsn: bigint;
}

/** How many moments are remembered: of a longer lag it is only known that it is that long. */
const MAX_SAMPLES = 600;

/** The size of a page of the log, and those of the head of a page and of the first page of a segment, in bytes. */
const PAGE = 8192n;
const HEADS = [24n, 40n];

/**
 * Whether a log that was replayed up to `replayed` has everything that was committed before `lsn`. Where a server will write next counts
 * the head of a new page, and where another has replayed to does not. No commit is short enough to end in between.
 */
export function hasReplayed(replayed: bigint, lsn: bigint): boolean {
  const intoPage = lsn % PAGE;
  return replayed >= (HEADS.includes(intoPage) ? lsn - intoPage : lsn);
}

/**
 * Where the primary's log was lately. The lag of a standby is the age of the newest moment that it has replayed: no clocks are
 * compared, and a primary that writes nothing makes nobody late.
 */
export class PrimaryLog {
  /** Why the primary has not answered. */
  silence = 'not asked yet';
  #seen: PrimaryLife | undefined;
  /** The oldest first. */
  #samples: Sample[] = [];

  /** The present epoch, and the cluster; `undefined` before the primary has been asked. */
  get seen(): PrimaryLife | undefined {
    return this.#seen;
  }

  /** The newest position that is known. */
  get end(): bigint | undefined {
    return this.#samples.at(-1)?.lsn;
  }

  /** The bookmark of the end of a server's log; `undefined` where that is another server, or has been started again. */
  bookmarkOf({ startedAt, lsn }: LogEnd): Sight | undefined {
    return startedAt === this.#seen?.startedAt ? { epoch: this.#seen.epoch, lsn } : undefined;
  }

  /** Notes what the primary has said, when it was asked at `takenAt`. */
  note({ epoch, system, startedAt, lsn, at }: PrimarySeen & PrimaryLife, takenAt: number): void {
    // Positions of another epoch count from another log.
    if (epoch !== this.#seen?.epoch || system !== this.#seen.system) this.#samples = [];
    this.#seen = { epoch, system, startedAt };
    const sample = { at, takenAt, lsn: BigInt(lsn) };
    if (this.#samples.at(-1)?.lsn === sample.lsn) this.#samples.pop();
    this.#samples.push(sample);
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }

  /** The newest moment of which a standby has everything that was committed before it; `undefined` where it has none that is known. */
  newestIn(replayed: bigint): Sample | undefined {
    return this.#samples.findLast(({ lsn }) => hasReplayed(replayed, lsn));
  }

  /** How far a standby lags, in milliseconds: at least so far where it has replayed no moment that is known. */
  lagMs(replayed: bigint): number {
    const since = this.newestIn(replayed) ?? this.#samples[0];
    return since === undefined ? 0 : performance.now() - since.takenAt;
  }
}
