import pRetry from 'p-retry';
import type pg from 'pg';
import {
  type ConnectionMode,
  clientConfig,
  type DatabaseSettings,
  endClient,
  ImpatientClient,
} from '../database/connection.ts';
import { CHANGES_CHANNEL, type ListenForChanges } from './change-log.ts';

/** How often it is asked where nobody tells, in milliseconds. */
const POLL_MS = 1_000;

/** How often it is asked all the same where somebody does: what was told in the moment that a connection broke is lost. */
const SAFETY_POLL_MS = 10_000;

/** How the pauses between attempts to connect grow, in milliseconds. */
const RETRY = { minTimeout: 100, maxTimeout: 5_000, randomize: true };

/** What is said when nobody tells any more, and when somebody does again. */
export interface ListenerEvents {
  readonly onLost: (error: Error) => void;
  readonly onRestored: () => void;
}

/**
 * The way in which a process hears that accounts have been changed, whoever did it: a connection of its own, beside the
 * pool, that listens (PostgreSQL's LISTEN), opened anew when it breaks. Where it cannot be had it tells every second, and
 * behind a pooler always, because there a session is not one's own.
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
      const client: pg.Client = new ImpatientClient({
        ...clientConfig(database, mode),
        application_name: 'rollcall listener',
      });
      try {
        await listening(client, stopped.signal, tell, () => {
          if (isLost) onRestored();
          isLost = false;
          // What was committed before is told by nobody.
          tell();
          pollEvery(SAFETY_POLL_MS, () => {
            tell();
            // A network that fell silent is found out by asking.
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

/** Resolves when the signal aborts, and rejects when the connection cannot be had, or is lost. */
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
