import { MikroORM } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import type { Settings } from '../../config/settings.ts';
import { ormOptions } from '../../mikro-orm.config.ts';
import { closeOrm } from '../database/close-orm.ts';
import type { ConnectionMode, DatabaseSettings } from '../database/connection.ts';
import { ormLog } from '../database/orm-log.ts';
import type { StatementObserver } from '../database/pipelined-client.ts';
import { knownMigrations, type SchemaState, schemaState } from '../database/schema.ts';
import type { Author } from '../domain/author.ts';
import { changeAnnouncer } from '../store/change-announcer.ts';
import { lockLimits } from '../store/lock-limits.ts';
import type { Replicas } from '../store/replicas/replicas.ts';
import type { UnitOfWork } from '../store/unit.ts';
import { type UnitObserver, unitsOfWork } from '../store/unit-of-work.ts';
import { statementSpans } from '../tracing/statement-spans.ts';
import { StatementTimes } from '../tracing/statement-times.ts';
import { findTracer, spans } from '../tracing/tracing.ts';

/** A database behind the ORM, for the server, a command or a test. */
export interface Store {
  readonly orm: MikroORM;
  readonly inUnit: UnitOfWork;
  /** The names of this code's migrations, in order. */
  readonly migrations: readonly string[];
  /** Compares the database's ledger with them, in one query. Throws where it has no ledger. */
  schemaState(): Promise<SchemaState>;
  /** Counts the statements of requests; only where it was asked for. */
  readonly statementTimes: StatementTimes | undefined;
  /** The read replicas; none, unless some were named. */
  readonly replicas: Replicas | undefined;
  close(): Promise<void>;
}

/** How to open a store. */
export interface StoreOptions {
  readonly database: DatabaseSettings;
  readonly mode: ConnectionMode;
  readonly history?: Settings['history'];
  /** The read replicas. Default: none. */
  readonly replicas?: Settings['replicas'];
  /** Without one, the ORM is silent. */
  readonly log?: Logger;
  /** Whether requests are told what their statements took. */
  readonly timesStatements?: boolean;
  /** Whether it serves requests: waiting for locks is limited then, and a unit that waits does not keep its connection. */
  readonly servesRequests?: boolean;
  /** Who signs every unit of work. Without one, each unit is signed by its work. */
  readonly author?: Author;
  /** Told of its units of work. */
  readonly observer?: UnitObserver | undefined;
}

/** How many connections stay open while idle. */
const KEPT_OPEN = 4;

/** Opens the ORM on a database. It connects at the first query. */
export async function openStore({
  database,
  mode,
  history,
  replicas: named,
  log,
  timesStatements = false,
  servesRequests = false,
  author,
  observer,
}: StoreOptions): Promise<Store> {
  const statementTimes = timesStatements ? new StatementTimes() : undefined;
  const tracer = findTracer();
  const onStatement = both(statementTimes?.observe, tracer && statementSpans(tracer));
  const locks = servesRequests ? lockLimits(database) : undefined;
  const pool = {
    ...database,
    ...(onStatement && { onStatement }),
    ...(locks && { lockTimeoutMs: locks.patientlyMs }),
  };
  // Not by `MikroORM.init`, which looks for packages on the disk that the options do not name.
  const openOrm = (settings: DatabaseSettings, how: ConnectionMode) =>
    new MikroORM({
      ...ormOptions(settings, how),
      // Opening a connection takes longer than a request.
      pool: { min: Math.min(KEPT_OPEN, database.poolMax), max: database.poolMax },
      ...(log ? { loggerFactory: () => ormLog(log) } : { logger: () => undefined }),
    });
  const orm = openOrm(pool, mode);
  const replicas =
    named && named.urls.length > 0
      ? // Loaded only where it is used.
        (await import('./open-replicas.ts')).openReplicas({ orm, database, pool, mode, openOrm, ...named })
      : undefined;
  const announcer = changeAnnouncer(database, mode);
  const migrations = await knownMigrations(orm);
  return {
    orm,
    inUnit: unitsOfWork(orm, author, {
      mode,
      erasesAtOnce: history?.eraseAfterDays === 0,
      requiresReason: history?.reasonRequired === true,
      ...(locks && { locks }),
      onRecorded: announcer.announce,
      inSpan: spans(tracer),
      observer,
      notesLog: replicas !== undefined,
    }),
    migrations,
    statementTimes,
    replicas,
    schemaState: () => schemaState(orm.em.fork(), migrations),
    async close() {
      await announcer.close();
      await replicas?.close();
      await closeOrm(orm);
    },
  };
}

/** Tells both observers, or the one that there is. */
function both(
  one: StatementObserver | undefined,
  other: StatementObserver | undefined,
): StatementObserver | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return (statement) => {
    const answered = [one(statement), other(statement)];
    return (error) => {
      for (const end of answered) end?.(error);
    };
  };
}
