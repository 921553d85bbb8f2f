import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { type ConnectionMode, clientOf, type DatabaseSettings, endClient } from '../database/connection.ts';
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
 * Creates the announcer of a process: on a connection beside the pool, opened with the first announcement. One that fails is not
 * repeated: listeners ask for changes every second too, since a process can die between a commit and its announcement.
 */
export function changeAnnouncer(database: DatabaseSettings, mode: ConnectionMode): ChangeAnnouncer {
  let client: pg.Client | undefined;
  let isDue = false;
  let isClosing = false;
  let sending: Promise<void> | undefined;

  const forget = async (broken: pg.Client) => {
    if (client === broken) client = undefined;
    await endClient(broken, database);
  };
  const connected = async () => {
    if (client !== undefined) return client;
    const opened = clientOf(database, mode, 'rollcall announcer');
    client = opened;
    opened.once('end', () => {
      if (client === opened) client = undefined;
    });
    await opened.connect();
    return opened;
  };
  const send = async () => {
    while (isDue) {
      isDue = false;
      try {
        await (await connected()).query(ANNOUNCE);
      } catch {
        if (client !== undefined) await forget(client);
      }
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
      if (client !== undefined) await forget(client);
    },
  };
}
