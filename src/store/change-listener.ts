import pRetry from 'p-retry';
import type pg from 'pg';
import { type ConnectionMode, clientOf, type DatabaseSettings, endClient } from '../database/connection.ts';
import { CHANGES_CHANNEL, type ListenForChanges } from './change-log.ts';

/** The polling interval without notifications, in milliseconds. */
const POLL_MS = 1_000;

/** The polling interval beside notifications: one that was sent while the connection broke is lost. */
const SAFETY_POLL_MS = 10_000;

/** The pauses between attempts to connect, in milliseconds. */
const RETRY = { minTimeout: 100, maxTimeout: 5_000, randomize: true };

/** A listener's callbacks: notifications are lost, or restored. */
export interface ListenerEvents {
  readonly onLost: (error: Error) => void;
  readonly onRestored: () => void;
}

/**
 * Creates the listener for changes of accounts by any process: a connection beside the pool that listens (PostgreSQL's LISTEN)
 * and is reopened when it breaks. Without it, it polls every second; behind a pooler always, because sessions are shared there.
 */
export function changeListener(
  database: DatabaseSettings,
  mode: ConnectionMode,
  { onLost, onRestored }: ListenerEvents,
): ListenForChanges {
  return (tell) => {
    const stopped = new AbortController();
    let poll = setInterval(tell, POLL_MS);
    let isLost = false;
    const pollEvery = (ms: number, beat: () => void) => {
      clearInterval(poll);
      if (!stopped.signal.aborted) poll = setInterval(beat, ms);
    };
    const listen = async () => {
      const client = clientOf(database, mode, 'rollcall listener');
      try {
        await listening(client, stopped.signal, tell, () => {
          if (isLost) onRestored();
          isLost = false;
          // Nothing announces what was committed before.
          tell();
          pollEvery(SAFETY_POLL_MS, () => {
            tell();
            // Only a query reveals a network that fell silent.
            client.query('select').catch(() => undefined);
          });
        });
      } finally {
        pollEvery(POLL_MS, tell);
        await endClient(client, database);
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
