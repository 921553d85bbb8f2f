import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../../mikro-orm.config.ts';
import { toRefusal } from '../../src/database/driver-errors.ts';
import { Refusal } from '../../src/domain/refusal.ts';
import { createMigratedDatabase } from '../support/database.ts';

describe('violations of a constraint', () => {
  for (const index of ['(email)', '(lower(email))']) {
    it(`are a taken email under any name of an index on ${index}`, async () => {
      const database = await createMigratedDatabase();
      const orm = await MikroORM.init({ ...ormOptions(database), logger: () => undefined });
      try {
        await database.query('alter table users drop constraint users_email_unique');
        await database.query(`create unique index uq_by_somebody_else on users ${index}`);
        const insert = () =>
          orm.em.fork().execute(`insert into users (email, name) values ('ada@example.com', 'Ada')`);
        await insert();
        const refusal = toRefusal(await insert().catch((error: unknown) => error));
        expect(refusal).to.be.instanceOf(Refusal);
        expect((refusal as Refusal).code).to.equal('email_taken');
      } finally {
        await orm.close(true);
        await database.drop();
      }
    });
  }
});
