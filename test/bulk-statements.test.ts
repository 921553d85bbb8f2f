import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { bulkStatements, recordsChanges } from './support/bulk-statements.ts';

const SOURCES = join(import.meta.dirname, '../src');

describe('statements that write accounts outside the unit of work', () => {
  it('appear only in files that record their changes', async () => {
    const names = (await readdir(SOURCES, { recursive: true })).filter((name) => name.endsWith('.ts'));
    const files = await Promise.all(
      names.map(async (name) => ({ name, source: await readFile(join(SOURCES, name), 'utf8') })),
    );
    const writing = files
      // A table is adopted before the history exists; the migration of the history begins it for each account.
      .filter(({ name }) => !name.startsWith(join('database', 'adoption')))
      // It takes each write back at once.
      .filter(({ name }) => name !== join('store', 'accounts-in-use.ts'))
      .filter(({ source }) => bulkStatements(source).length > 0);
    expect(writing.map(({ name }) => name)).to.include(join('services', 'transfer', 'import-batch.ts'));
    expect(writing.filter(({ source }) => !recordsChanges(source)).map(({ name }) => name)).to.deep.equal([]);
  });

  for (const source of [
    `await em.execute('insert into users (email) values (?)', [email]);`,
    'const UPDATE = `\n  update users set role = ? where id = ?`;',
    'const UPDATE = `UPDATE ONLY "public"."users" SET role = ?`;',
    `delete\n  from users where id = 1`,
    `truncate table users`,
    `truncate users, changes`,
    `merge into users using lines on true`,
    `copy users (email) from stdin`,
    `await em.nativeUpdate(User, { id }, { role });`,
    `await em.nativeDelete<User>(User, {});`,
    `await em.nativeInsert(user);`,
    `em.getDriver().nativeInsertMany('User', rows)`,
    `await em.upsert(User, { email });`,
    `await em.upsertMany(\n  users,\n);`,
    `await em.insertMany(User, rows);`,
    `await em.createQueryBuilder(User, 'u').update({ role }).where({ id });`,
    `em.qb(User).delete()`,
    `await em.getKysely().insertInto('users').values(rows).execute();`,
    `kysely.updateTable(['users as u', 'x'])`,
    `kysely.deleteFrom("public.users")`,
  ]) {
    it(`include ${JSON.stringify(source)}`, () => {
      expect(bulkStatements(source)).to.have.length(1);
      expect(recordsChanges(source)).to.equal(false);
    });
  }

  for (const source of [
    `select id from users where email = ? for update`,
    `insert into changes (user_id) select id from users`,
    `update user_settings set x = 1`,
    `insert into users_archive`,
    `await em.nativeDelete(Webhook, { id });`,
    `kysely.insertInto('webhooks')`,
    `createHash('sha256').update(user)`,
    `em.createQueryBuilder(User).where({ id })`,
    `// Restores an account: update of users by others.`,
  ]) {
    it(`do not include ${JSON.stringify(source)}`, () => {
      expect(bulkStatements(source)).to.deep.equal([]);
    });
  }
});
