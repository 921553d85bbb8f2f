import { randomBytes } from 'node:crypto';
import { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { ormOptions } from '../../mikro-orm.config.ts';
import type { DatabaseSettings } from '../../src/database/connection.ts';
import { migrateUnderLock } from '../../src/database/migrate.ts';
import { afterEachTest } from './after-test.ts';

/** The environment variable with the URLs of the test servers, separated by spaces: one for each of mocha's workers. */
export const SERVERS_VARIABLE = 'ROLLCALL_TEST_SERVERS';

/** The environment variable with the name of the template, which is the same on every server. */
export const TEMPLATE_VARIABLE = 'ROLLCALL_TEST_TEMPLATE';

/** A test's own database. */
export interface TestDatabase extends DatabaseSettings {
  readonly name: string;
  /** Runs SQL outside of the service. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Opens a session to hold locks and transactions with; it ends with the test, also where that fails in between. */
  connect(): Promise<pg.Client>;
  /** Drops it, even while others are connected. */
  drop(): Promise<void>;
}

/** The sessions that the current test has opened. */
const sessionsOfTest = new Set<pg.Client>();

// A lock would keep the next ones waiting, and a transaction the change feeds of the whole server.
afterEachTest(async () => {
  const sessions = [...sessionsOfTest];
  sessionsOfTest.clear();
  await Promise.all(sessions.map((session) => session.end()));
});

/** Creates a database with the whole schema and no accounts. */
export function createMigratedDatabase(): Promise<TestDatabase> {
  return create(process.env[TEMPLATE_VARIABLE] ?? '');
}

/** Creates an empty database, as a first boot finds it, with `options` of `create database`, such as a locale. */
export function createEmptyDatabase(options = ''): Promise<TestDatabase> {
  return create('template0', options);
}

/** Creates the template on a server that {@link createMigratedDatabase} copies. */
export async function makeTemplate(server: string, name: string): Promise<void> {
  await runOn(server, createStatement(name, 'template0'));
  const orm = await MikroORM.init({ ...ormOptions(settingsFor(name, server)), logger: () => undefined });
  await migrateUnderLock(
    orm,
    { deadline: Date.now() + 30_000, signal: new AbortController().signal, onWait: () => undefined },
    async () => undefined,
  );
  // PostgreSQL copies a database only while nobody is connected to it.
  await orm.close(true);
}

/** Removes the template from a server. */
export async function dropTemplate(server: string, name: string): Promise<void> {
  await runOn(server, `drop database if exists "${name}" with (force)`);
}

async function create(template: string, options = ''): Promise<TestDatabase> {
  const name = `rollcall_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  await asAdmin(`${createStatement(name, template)} ${options}`);
  const settings = settingsFor(name, ownServer());
  const open = async () => {
    const client = new pg.Client({ connectionString: settings.url });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  let own: pg.Client | undefined;
  return {
    ...settings,
    name,
    async connect() {
      const session = await open();
      sessionsOfTest.add(session);
      return session;
    },
    async query(sql, values) {
      own ??= await open();
      return (await own.query(sql, values)).rows;
    },
    async drop() {
      await own?.end();
      await asAdmin(`drop database if exists "${name}" with (force)`);
    },
  };
}

/** Copies files, which takes a third of the time of PostgreSQL's default: writing each page to the log. */
function createStatement(name: string, template: string): string {
  return `create database "${name}" template "${template}" strategy file_copy`;
}

/** The settings for the database `name` on a server. */
function settingsFor(name: string, server: string): DatabaseSettings {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, poolMax: 10, connectTimeoutMs: 10_000, statementTimeoutMs: 10_000 };
}

/** This worker's server. Mocha numbers its workers from 0; the replacement of a dead one gets a new number. */
function ownServer(): string {
  const servers = process.env[SERVERS_VARIABLE]?.split(' ') ?? [];
  return servers[Number(process.env['MOCHA_WORKER_ID'] ?? 0) % servers.length] ?? '';
}

/** The session in which this worker creates and drops its databases. It does not keep the process alive. */
let admin: Promise<pg.Client> | undefined;

async function asAdmin(sql: string): Promise<void> {
  admin ??= openAdmin();
  await (await admin).query(sql);
}

async function openAdmin(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: ownServer() });
  client.on('error', () => {
    admin = undefined;
  });
  await client.connect();
  // Missing in @types/pg.
  (client as pg.Client & { unref(): void }).unref();
  return client;
}

async function runOn(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
