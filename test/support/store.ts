import { type EntityManager, MikroORM, type Options } from '@mikro-orm/postgresql';
import { ormOptions } from '../../mikro-orm.config.ts';
import type { Author } from '../../src/domain/author.ts';
import type { UnitOfWork } from '../../src/store/unit.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { createMigratedDatabase, type TestDatabase } from './database.ts';

/** A migrated database of a test's own, with the service's ORM on it. */
export interface TestStore {
  readonly database: TestDatabase;
  readonly orm: MikroORM;
  /** A fresh EntityManager, for reading. */
  readonly em: EntityManager;
  /** Units of work that the work itself signs. */
  readonly inUnit: UnitOfWork;
  /** Units of work signed by an author. */
  as(author: Author): UnitOfWork;
  /** Replaces the ORM by one with other options. */
  reopen(options: Options): Promise<void>;
}

/** Opens a store before each test of a suite and closes it afterwards. */
export function testStore({ poolMax = 10 }: { poolMax?: number } = {}): TestStore {
  let database: TestDatabase;
  let orm: MikroORM;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    orm = await MikroORM.init({ ...ormOptions({ ...database, poolMax }), logger: () => undefined });
  });

  afterEach(async () => {
    await orm.close(true);
    await database.drop();
  });

  return {
    get database() {
      return database;
    },
    get orm() {
      return orm;
    },
    get em() {
      return orm.em.fork();
    },
    get inUnit() {
      return unitsOfWork(orm);
    },
    as: (author) => unitsOfWork(orm, author),
    async reopen(options) {
      await orm.close(true);
      orm = await MikroORM.init(options);
    },
  };
}
