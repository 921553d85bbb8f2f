import { expect } from 'chai';
import { toRefusal } from '../../src/database/driver-errors.ts';
import { publishAccounts } from '../../src/store/publication/publish.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { codeFor } from '../support/console.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { visitor } from '../support/history.ts';
import { expectProblem } from '../support/problem.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';
const GRACE = 'grace@example.com';

describe('accounts that tables of the app point at', () => {
  let app: TestApp;
  let visit: ReturnType<typeof visitor>;
  let grace: number;

  beforeEach(async () => {
    const database = await createMigratedDatabase();
    // As the service's own sessions have it, whatever the role is called.
    await (await database.connect()).query(`alter database "${database.name}" set search_path = public`);
    app = await startApp({ database });
    visit = visitor(app, ADA);
    await addAccount(app.database, ADA, { role: 'admin' });
    ({ id: grace } = await visit.done<{ id: number }>(201, 'POST', '/v1/users', { email: GRACE }));
    await app.database.query('create table items (owner_id int constraint items_owner references users)');
    await app.database.query('insert into items values ($1)', [grace]);
  });

  afterEach(() => app.close());

  it('are not deleted in any way, and nothing of the request happens', async () => {
    const other = await addAccount(app.database, 'other@example.com');
    const [creation] = await visit.history({ userId: `${grace}` });
    const attempts: [string, string, unknown?, string?][] = [
      ['DELETE', `/v1/users/${grace}`],
      ['DELETE', `/v1/users/${grace}?dryRun=true`],
      ['DELETE', '/v1/me', undefined, GRACE],
      ['POST', '/v1/users/bulk', { ids: [other.id, grace], delete: true }],
      ['POST', `/v1/history/${creation?.id}/undo`],
    ];
    const before = await accountsIn(app.database);
    for (const [method, path, body, as] of attempts) {
      const problem = await expectProblem(await visit.send(method, path, body, as), 409, 'account_in_use');
      // What the app calls its tables is for admins.
      expect(problem['detail'], path).to.match(
        as === undefined
          ? /^The table items points at this account: /
          : /^The app still has data of this account: /,
      );
      if (as !== undefined) expect(JSON.stringify(problem)).to.not.match(/items|table/);
    }
    expect(await accountsIn(app.database)).to.deep.equal(before);
    // What changes no id goes on.
    await visit.done(200, 'PATCH', `/v1/users/${grace}`, { name: 'Grace' });
    expect(app.log.filter(({ level }) => (level as number) >= 50)).to.deep.equal([]);
  });

  it('are not deleted in a dry run either where their tables are checked at the end of a transaction', async () => {
    await app.database.query('alter table items alter constraint items_owner deferrable initially deferred');
    for (const query of ['?dryRun=true', '']) {
      const problem = await expectProblem(
        await visit.send('DELETE', `/v1/users/${grace}${query}`),
        409,
        'account_in_use',
      );
      expect(problem['detail']).to.match(/^The table items points at this account: /);
      const ids = { ids: [grace], delete: true };
      await expectProblem(await visit.send('POST', `/v1/users/bulk${query}`, ids), 409, 'account_in_use');
    }
  });

  it('are not taken for one that is deleted while a link to the console is made for it', async () => {
    await addAccount(app.database, 'gone@example.com');
    const deletion = await app.database.connect();
    await deletion.query(`begin; delete from users where email = 'gone@example.com'`);
    const made = codeFor(app, 'gone@example.com').catch(toRefusal);
    await until('it waits for the deletion', async () => {
      const waiting =
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      return (await app.database.query(waiting)).length > 0;
    });
    await deletion.query('commit');
    expect(await made).to.include({ code: 'not_found', message: 'There is no such account.' });
  });

  it('are deleted once the tables point at their ids alone', async () => {
    await publishAccounts(app.orm.em.fork(), undefined);
    await app.database.query(`
      alter table items drop constraint items_owner;
      alter table items add constraint items_owner foreign key (owner_id) references rollcall.account_ids`);
    await visit.done(204, 'DELETE', `/v1/users/${grace}`);
    expect(await app.database.query('select owner_id from items')).to.deep.equal([{ owner_id: grace }]);
  });

  it('are deleted with the rows of a table that says so', async () => {
    await app.database.query(`
      alter table items drop constraint items_owner;
      alter table items add foreign key (owner_id) references users on delete cascade`);
    await visit.done(204, 'DELETE', `/v1/users/${grace}`);
    expect(await app.database.query('select owner_id from items')).to.deep.equal([]);
  });
});
