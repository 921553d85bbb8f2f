import { randomBytes } from 'node:crypto';
import { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { ormOptions } from '../../mikro-orm.config.ts';
import type { DatabaseSettings } from '../../src/database/connection.ts';
import { migrateUnderLock } from '../../src/database/schema.ts';

/** The environment variable that tells the test files where the server is. */
export const SERVER_URL_VARIABLE = 'ROLLCALL_TEST_SERVER_URL';

const TEMPLATE = `rollcall_template_${process.pid}`;

/** A database of one's own. */
export interface TestDatabase extends DatabaseSettings {
  readonly name: string;
  /** Runs SQL as somebody who is not the service. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** A session of its own, to hold locks and transactions with; ended with the database. */
  connect(): Promise<pg.Client>;
  /** Drops it, whoever is still connected. */
  drop(): Promise<void>;
}

/** A database with the whole schema and no accounts. */
export function createMigratedDatabase(): Promise<TestDatabase> {
  return create(TEMPLATE);
}

/** A database with nothing in it, as a first boot finds it. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return create('template0');
}

/** The settings for the database `name` on the tests' server. */
export function settingsFor(name: string): DatabaseSettings {
  const url = new URL(process.env[SERVER_URL_VARIABLE] ?? '');
  url.pathname = `/${name}`;
  return { url: url.href, poolMax: 10, connectTimeoutMs: 3_000, statementTimeoutMs: 10_000 };
}

/** Makes the template that {@link createMigratedDatabase} copies. */
export async function makeTemplate(): Promise<void> {
  await onServer(`create database "${TEMPLATE}" template template0`);
  const orm = await MikroORM.init({ ...ormOptions(settingsFor(TEMPLATE)), logger: () => undefined });
  await migrateUnderLock(
    orm,
    { deadline: Date.now() + 30_000, signal: new AbortController().signal, onWait: () => undefined },
    async () => undefined,
  );
  // PostgreSQL copies no database that somebody is connected to.
  await orm.close(true);
}

/** Removes the template. */
export async function dropTemplate(): Promise<void> {
  await onServer(`drop database if exists "${TEMPLATE}" with (force)`);
}

async function create(template: string): Promise<TestDatabase> {
  const name = `rollcall_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  await onServer(`create database "${name}" template "${template}"`);
  const settings = settingsFor(name);
  const sessions: pg.Client[] = [];
  const connect = async () => {
    const client = new pg.Client({ connectionString: settings.url });
    client.on('error', () => undefined);
    await client.connect();
    sessions.push(client);
    return client;
  };
  let own: pg.Client | undefined;
  return {
    ...settings,
    name,
    connect,
    async query(sql, values) {
      own ??= await connect();
      return (await own.query(sql, values)).rows;
    },
    async drop() {
      await Promise.all(sessions.map((client) => client.end()));
      await onServer(`drop database "${name}" with (force)`);
    },
  };
}

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: process.env[SERVER_URL_VARIABLE] });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
