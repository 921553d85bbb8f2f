import { setTimeout as delay } from 'node:timers/promises';
import pRetry from 'p-retry';
import type pg from 'pg';
import { parseDatabaseUrl } from '../../config/database-url.ts';
import { certificateProblem } from './certificate-problem.ts';
import { type ConnectionMode, clientOf, type DatabaseSettings, endClient } from './connection.ts';
import { isUnavailable } from './driver-errors.ts';
import { checkFitness, searchPathOf } from './fitness.ts';
import { canCheckClients } from './session-settings.ts';
import { surveySession } from './session-survey.ts';
import { encryptionAttempts, mayDependOnEncryption } from './tls.ts';

/** A database that has answered: the mode of its connections, and the settings with what has been found out. */
export interface Reached {
  readonly database: DatabaseSettings;
  readonly mode: ConnectionMode;
}

/**
 * Waits until the database answers, with growing pauses between attempts, and finds out how to connect to it. Throws the
 * database's refusal (no such database, wrong password), `DatabaseUnfit` for a database that Rollcall cannot work with, the
 * last error after `deadline` (milliseconds of the epoch), and the signal's reason when it aborts.
 */
export async function reachDatabase(
  database: DatabaseSettings,
  options: { deadline: number; signal: AbortSignal; onSilence: (error: Error) => void },
): Promise<Reached> {
  return pRetry(() => unlessAborted(options.signal, reachOnce(database)), {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 100,
    maxTimeout: 5_000,
    maxRetryTime: Math.max(0, options.deadline - Date.now()),
    signal: options.signal,
    async shouldRetry({ error }) {
      if (!isUnavailable(error)) return false;
      options.onSilence(error);
      // p-retry cuts its jitter off at the longest pause; this one keeps replicas apart.
      await delay(Math.random() * 250);
      return true;
    },
  });
}

/** Rejects with the signal's reason as soon as it aborts, whatever the promise waits for. */
async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Tries once, with each choice of encryption that the URL allows, in its order. Throws what {@link reachDatabase} throws. */
export async function reachOnce(database: DatabaseSettings): Promise<Reached> {
  const url = parseDatabaseUrl(database.url);
  const [first = false, ...others] = encryptionAttempts(url);
  let failure: unknown;
  for (const encrypted of [first, ...others]) {
    try {
      return await tryEncryption(database, encrypted);
    } catch (error) {
      failure = error;
      if (!mayDependOnEncryption(error)) break;
    }
  }
  throw certificateProblem(failure, url.tls) ?? failure;
}

async function tryEncryption(database: DatabaseSettings, encrypted: boolean): Promise<Reached> {
  try {
    return await tryMode(database, 'direct', encrypted);
  } catch (error) {
    if (!(error instanceof Error && isPoolersRefusal(error))) throw error;
    return await tryMode(database, 'pooled', encrypted);
  }
}

/** Whether a pooler does not accept the settings of a session: PgBouncer has no better code for it, and others refuse the feature. */
function isPoolersRefusal(error: Error & { code?: string }): boolean {
  return error.message.includes('startup parameter') || error.code === '0A000';
}

async function tryMode(
  database: DatabaseSettings,
  mode: ConnectionMode,
  encrypted: boolean,
): Promise<Reached> {
  // Where Rollcall lives is not known yet: the session has the search path of the URL, the database or the role.
  const client = clientOf({ ...database, found: { encrypted } }, mode) as pg.Client & { processID: number };
  try {
    await client.connect();
    const seen = await surveySession(client);
    // The process id in the greeting is the server's, unless a pooler invented it.
    if (mode === 'direct' && seen.pid !== client.processID)
      return await tryMode(database, 'pooled', encrypted);
    checkFitness(seen, mode, parseDatabaseUrl(database.url), database.role);
    const checksClients = mode === 'direct' && (await canCheckClients(client));
    const { endsIdle, endsTransactions } = seen;
    const found = { encrypted, searchPath: searchPathOf(seen), checksClients, endsIdle, endsTransactions };
    return { mode, database: { ...database, found } };
  } finally {
    await endClient(client, database);
  }
}
