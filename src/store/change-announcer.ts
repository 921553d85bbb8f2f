import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionMode, DatabaseSettings } from '../database/connection.ts';
import { sideConnection } from '../database/side-connection.ts';
import { CHANGES_CHANNEL } from './change-log.ts';

/** Tells the listeners of all processes that changes of accounts have been committed. */
export interface ChangeAnnouncer {
  /** Announces what has been committed, soon and once for all commits until then. Never throws. */
  announce(): void;
  /** Sends what is due, and closes the connection. */
  close(): Promise<void>;
}

/**
 * The announcement. It is a transaction of its own, because PostgreSQL holds a lock on its queue of notifications from before the
 * commit until after it (`PreCommit_Notify` in its async.c): writers that notify commit one after the other. It does not wait for
 * the disk, for it writes nothing that must last.
 */
const ANNOUNCE = `select set_config('synchronous_commit', 'off', true), pg_notify('${CHANGES_CHANNEL}', '')`;

/** How long the commits after an announcement wait for the next one, in milliseconds: a busy process tells of many at once. */
const PAUSE_MS = 10;

/**
 * Creates the announcer of a process: on a connection beside the pool, opened with the first announcement. One that fails on a
 * new connection too is not repeated: listeners ask for changes every second as well, since a process can die between a commit
 * and its announcement.
 */
export function changeAnnouncer(database: DatabaseSettings, mode: ConnectionMode): ChangeAnnouncer {
  const side = sideConnection(database, mode, { name: 'rollcall announcer' });
  let isDue = false;
  let isClosing = false;
  let sending: Promise<void> | undefined;

  const send = async () => {
    while (isDue) {
      isDue = false;
      await side.ask({ text: ANNOUNCE, values: [] }).catch(() => undefined);
      if (!isClosing) await delay(PAUSE_MS);
    }
    sending = undefined;
  };

  return {
    announce() {
      isDue = true;
      sending ??= send();
    },
    async close() {
      isClosing = true;
      await sending;
      await side.close();
    },
  };
}
