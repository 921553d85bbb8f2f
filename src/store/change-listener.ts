import pRetry from 'p-retry';
import type pg from 'pg';
import { type ConnectionMode, clientOf, type DatabaseSettings, endClient } from '../database/connection.ts';
import { CHANGES_CHANNEL, type ListenForChanges } from './change-log.ts';

/**
 * The polling interval, in milliseconds, beside announcements too: one is lost while the connection breaks, or if a process dies
 * between its commit and the announcement.
 */
const POLL_MS = 1_000;

/** How often the connection is tested, in polls. */
const POLLS_A_TEST = 10;

/** The pauses between attempts to connect, in milliseconds. */
const RETRY = { minTimeout: 100, maxTimeout: 5_000, randomize: true };

/** A listener's callbacks: notifications are lost, or restored. */
export interface ListenerEvents {
  readonly onLost: (error: Error) => void;
  readonly onRestored: () => void;
}

/**
 * Creates the listener for changes of accounts by any process: a connection beside the pool that listens (PostgreSQL's LISTEN)
 * and is reopened when it breaks. It polls every second too; behind a pooler only that, because sessions are shared there.
 */
export function changeListener(
  database: DatabaseSettings,
  mode: ConnectionMode,
  { onLost, onRestored }: ListenerEvents,
): ListenForChanges {
  return (tell) => {
    const stopped = new AbortController();
    let isLost = false;
    let beats = 0;
    let client: pg.Client | undefined;
    const poll = setInterval(() => {
      tell();
      // Only a query reveals a network that fell silent.
      if (++beats % POLLS_A_TEST === 0) client?.query('select').catch(() => undefined);
    }, POLL_MS);
    const listen = async () => {
      const opened = clientOf(database, mode, 'rollcall listener');
      try {
        await listening(opened, stopped.signal, tell, () => {
          client = opened;
          if (isLost) onRestored();
          isLost = false;
          // Nothing announces what was committed before.
          tell();
        });
      } finally {
        client = undefined;
        await endClient(opened, database);
      }
    };
    tell();
    const done =
      mode === 'direct' &&
      pRetry(listen, {
        ...RETRY,
        retries: Number.POSITIVE_INFINITY,
        signal: stopped.signal,
        onFailedAttempt({ error }) {
          if (!isLost && !stopped.signal.aborted) onLost(error);
          isLost = true;
        },
      }).catch(() => undefined);
    return {
      async stop() {
        stopped.abort();
        clearInterval(poll);
        await done;
      },
    };
  };
}

/** Resolves when the signal aborts, and rejects when the connection cannot be opened, or is lost. */
async function listening(
  client: pg.Client,
  signal: AbortSignal,
  tell: () => void,
  onListening: () => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.on('error', reject);
  client.on('end', () => reject(new Error('Connection terminated')));
  client.on('notification', tell);
  signal.addEventListener('abort', () => resolve(), { once: true });
  client
    .connect()
    .then(() => client.query(`listen ${CHANGES_CHANNEL}`))
    .then(onListening)
    .catch(reject);
  await promise;
}
