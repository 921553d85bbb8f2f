import { transfersAtOnce } from '../../services/transfer/at-once.ts';
import { type Capacity, Places } from './places.ts';

/**
 * What an endpoint transfers: `accounts`, which holds a database connection, or `personal`, the data of one account, which
 * holds memory alone.
 */
export type TransferKind = 'accounts' | 'personal';

/** The limits of transfers. */
export interface TransferLimits {
  /** How many transfers of accounts may run at once: fewer than there are connections, so that requests always have some. */
  readonly atOnce: number;
  /** The slowest pace of a client, in bytes a second. */
  readonly minRate: number;
  /** How long a client may take to send an upload, or to read an answer, in milliseconds. */
  readonly timeoutMs: number;
  /** The most bytes of an upload. */
  readonly maxUploadBytes: number;
  /** How long a client may send nothing of an upload, in milliseconds. */
  readonly uploadPatienceMs: number;
  /** How long a client may read nothing of an answer, in milliseconds. */
  readonly answerPatienceMs: number;
}

/** The settings of transfers. */
export interface TransferSettings extends Pick<TransferLimits, 'minRate' | 'timeoutMs' | 'maxUploadBytes'> {
  /** `null`: half of the database connections. */
  readonly atOnce: number | null;
}

// The system takes a part of an answer, up to a megabyte, before the client has read it: progress comes in leaps.
const PATIENCE = { uploadPatienceMs: 30_000, answerPatienceMs: 60_000 };

/** The most transfers of one account's data at once, and of one caller: each has a page of history in memory. */
const PERSONAL: Capacity = { total: 50, perCaller: 2 };

/** Limits by the settings, for a pool of so many connections. */
export function transferLimits(
  { atOnce, ...settings }: TransferSettings,
  poolMax: number,
  overrides: Partial<TransferLimits> = {},
): TransferLimits {
  return { ...PATIENCE, ...settings, atOnce: transfersAtOnce(atOnce, poolMax), ...overrides };
}

/** The transfers of a process. */
export interface Transfers {
  readonly limits: TransferLimits;
  readonly places: Readonly<Record<TransferKind, Places>>;
}

/** Creates the places for transfers: one caller may take half of those of accounts, so that others find one. */
export function createTransfers(limits: TransferLimits): Transfers {
  const perCaller = Math.max(1, Math.floor(limits.atOnce / 2));
  return {
    limits,
    places: { accounts: new Places({ total: limits.atOnce, perCaller }), personal: new Places(PERSONAL) },
  };
}
