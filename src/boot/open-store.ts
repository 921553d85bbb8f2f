import { MikroORM } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import type { Settings } from '../../config/settings.ts';
import { ormOptions } from '../../mikro-orm.config.ts';
import { closeOrm } from '../database/close-orm.ts';
import type { ConnectionMode, DatabaseSettings } from '../database/connection.ts';
import { ormLog } from '../database/orm-log.ts';
import { knownMigrations, schemaState } from '../database/schema.ts';
import type { Author } from '../domain/author.ts';
import type { UnitOfWork } from '../store/unit.ts';
import { unitsOfWork } from '../store/unit-of-work.ts';

/** A database that is ready to be used, by the server, a command or a test. */
export interface Store {
  readonly orm: MikroORM;
  readonly inUnit: UnitOfWork;
  /** The migrations that the database lacks, in one query. Throws where it has no ledger of them. */
  pendingMigrations(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** How to open a store. */
export interface StoreOptions {
  readonly database: DatabaseSettings;
  readonly mode: ConnectionMode;
  readonly history?: Settings['history'];
  /** Without one, the ORM is silent. */
  readonly log?: Logger;
  /** Who signs every unit of work. Without one, each unit is signed by its work. */
  readonly author?: Author;
}

/** Opens the ORM on a database that has been migrated. It connects at the first query. */
export async function openStore({ database, mode, history, log, author }: StoreOptions): Promise<Store> {
  const orm = await MikroORM.init({
    ...ormOptions(database, mode, history),
    ...(log ? { loggerFactory: () => ormLog(log) } : { logger: () => undefined }),
  });
  const known = await knownMigrations(orm);
  return {
    orm,
    inUnit: unitsOfWork(orm, author),
    pendingMigrations: async () => (await schemaState(orm.em.fork(), known)).pending,
    close: () => closeOrm(orm),
  };
}
