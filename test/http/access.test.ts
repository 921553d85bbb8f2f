import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { AccessPolicy } from '../../src/domain/access.ts';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { eraseAccounts } from '../../src/services/history/erasure.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';
import { until } from '../support/until.ts';

describe('the access policy', () => {
  let app: TestApp;

  const start = async (accessPolicy: AccessPolicy) => {
    app = await startApp({ accessPolicy });
    await addAccount(app.database, 'admin@example.com', { role: 'admin' });
  };
  afterEach(() => app.close());

  const emails = async () => (await accountsIn(app.database)).map(({ email }) => email);
  const refused = async () => {
    const response = await app.call('/v1/access/refused', { as: 'admin@example.com' });
    return ((await response.json()) as { items: Record<string, unknown>[] }).items;
  };

  it('refuses unknown emails under "invited"', async () => {
    await start({ policy: 'invited', domains: [] });
    await expectProblem(await app.call('/v1/me', { as: 'ada@example.com' }), 403, 'account_required');
    expect(await emails()).to.deep.equal(['admin@example.com']);
  });

  it('creates accounts for emails at the listed domains only', async () => {
    await start({ policy: 'domains', domains: ['example.com'] });
    const response = await app.call('/v1/me', { as: 'Ada@Example.com' });
    expect(response.status).to.equal(200);
    expect(await response.json()).to.deep.include({
      email: 'ada@example.com',
      name: null,
      role: 'user',
      version: 1,
    });
    await expectProblem(await app.call('/v1/me', { as: 'ada@example.org' }), 403, 'account_required');
    expect(await emails()).to.deep.equal(['admin@example.com', 'ada@example.com']);
  });

  it('creates an account for any email under "open"', async () => {
    await start({ policy: 'open', domains: [] });
    expect((await app.call('/v1/me', { as: 'ada@elsewhere.test' })).status).to.equal(200);
  });

  it('creates no account for an invalid email, and lists no refused sign-in', async () => {
    await start({ policy: 'open', domains: [] });
    for (const email of [
      'ada',
      'a b@example.com',
      `${'a'.repeat(300)}@example.com`,
      'a\0@example.com',
      '@',
    ]) {
      await expectProblem(await app.call('/v1/me', { as: email }), 403, 'account_required');
    }
    expect(await emails()).to.deep.equal(['admin@example.com']);
    expect(await refused()).to.deep.equal([]);
  });

  it('creates one account when its first ten requests arrive at once', async () => {
    await start({ policy: 'open', domains: [] });
    const responses = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        n % 2
          ? app.call('/v1/me', { as: 'ada@example.com' })
          : app.call('/v1/me/preferences', {
              as: 'ada@example.com',
              method: 'PATCH',
              headers: { 'Content-Type': 'application/json' },
              body: JSON.stringify({ [`key${n}`]: n }),
            }),
      ),
    );
    expect(responses.map(({ status }) => status)).to.deep.equal(Array(10).fill(200));
    expect(await emails()).to.deep.equal(['admin@example.com', 'ada@example.com']);
    const history = await app.database.query(
      'select actor, action from changes order by id offset 1 limit 2',
    );
    expect(history).to.deep.equal([
      { actor: 'sign-in', action: 'created' },
      { actor: 'ada@example.com', action: 'updated' },
    ]);
    const ada = (await (await app.call('/v1/me', { as: 'ada@example.com' })).json()) as Record<
      string,
      unknown
    >;
    expect(ada['preferences']).to.deep.equal({ key0: 0, key2: 2, key4: 4, key6: 6, key8: 8 });
  });

  it('writes nothing at later sign-ins', async () => {
    await start({ policy: 'open', domains: [] });
    const first = await (await app.call('/v1/me', { as: 'ada@example.com' })).json();
    const again = await (await app.call('/v1/me', { as: 'ada@example.com' })).json();
    expect(again).to.deep.equal(first);
    expect(await app.database.query('select id from changes')).to.have.length(2);
  });

  it('is shown to admins, with the refused sign-ins', async () => {
    await start({ policy: 'domains', domains: ['example.com', '*.example.org'] });
    for (const as of ['eve@example.net', 'eve@example.net', 'mallory@example.org'])
      await app.call('/v1/me', { as });
    const response = await app.call('/v1/access', { as: 'admin@example.com' });
    expect(await response.json()).to.deep.equal({
      policy: 'domains',
      domains: ['example.com', '*.example.org'],
      refused: { people: 2, attempts: 3 },
    });
    const items = await refused();
    expect(
      items.map(({ email, reason, count }: Record<string, unknown>) => [email, reason, count]),
    ).to.deep.equal([
      ['mallory@example.org', 'account_required', 1],
      ['eve@example.net', 'account_required', 2],
    ]);
    await expectProblem(await app.call('/v1/access/refused', { as: 'ada@example.com' }), 403, 'forbidden');
  });

  it('removes an email from the refused sign-ins once it is invited', async () => {
    await start({ policy: 'invited', domains: [] });
    await app.call('/v1/me', { as: 'eve@example.net' });
    await app.call('/v1/users', {
      as: 'admin@example.com',
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: 'eve@example.net' }),
    });
    expect(await refused()).to.deep.equal([]);
    expect((await app.call('/v1/me', { as: 'eve@example.net' })).status).to.equal(200);
    await app.database.query(`update users set status = 'suspended' where email = 'eve@example.net'`);
    await expectProblem(await app.call('/v1/me', { as: 'eve@example.net' }), 403, 'account_suspended');
    expect((await refused()).map(({ reason }) => reason)).to.deep.equal([
      'account_suspended',
      'account_required',
    ]);
  });

  it('writes repeated refusals of one email at most once a minute', async () => {
    await start({ policy: 'invited', domains: [] });
    const written = () => app.database.query('select email, reason, count from refused_sign_ins');
    await Promise.all(Array.from({ length: 50 }, () => app.call('/v1/me', { as: 'eve@example.net' })));
    const eve = { email: 'eve@example.net', reason: 'account_required' };
    expect(await written()).to.deep.equal([{ ...eve, count: 1 }]);
    expect(await refused()).to.have.length(1);
    expect((await refused())[0]).to.deep.include({ ...eve, count: 50 });
    expect(await written()).to.deep.equal([{ ...eve, count: 50 }]);
  });

  it('lists what another request is still writing', async () => {
    await start({ policy: 'invited', domains: [] });
    for (let time = 0; time < 2; time++) await app.call('/v1/me', { as: 'eve@example.net' });
    const holder = await app.database.connect();
    await holder.query('begin');
    await holder.query('select from refused_sign_ins for update');
    const policy = app.call('/v1/access', { as: 'admin@example.com' });
    await until('its write', async () => {
      const [waiting] = await app.database.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waiting;
    });
    const listed = refused();
    const waits = Symbol('waits');
    expect(await Promise.race([listed, sleep(300, waits)])).to.equal(waits);
    await holder.query('commit');
    expect((await listed).map(({ count }) => count)).to.deep.equal([2]);
    expect(await (await policy).json()).to.deep.include({ refused: { people: 1, attempts: 2 } });
  });

  it('does not bring an erased email back from memory, and counts its next refusal as the first', async () => {
    await start({ policy: 'invited', domains: [] });
    await addAccount(app.database, 'eve@example.net');
    await app.database.query(`update users set status = 'suspended' where email = 'eve@example.net'`);
    for (let time = 0; time < 3; time++) await app.call('/v1/me', { as: 'eve@example.net' });
    await unitsOfWork(app.orm, COMMAND_LINE)((unit) => eraseAccounts(unit, 'eve@example.net'));
    expect(await refused()).to.deep.equal([]);
    expect(await app.database.query('select * from refused_sign_ins')).to.deep.equal([]);
    await app.call('/v1/me', { as: 'eve@example.net' });
    expect((await refused()).map(({ reason, count }) => [reason, count])).to.deep.equal([
      ['account_required', 1],
    ]);
  });

  it('lists each refused sign-in once across pages, even those with the same time', async () => {
    await start({ policy: 'invited', domains: [] });
    await app.database.query(
      `insert into refused_sign_ins (email, reason) select 'u' || n || '@example.net', 'account_required' from generate_series(1, 25) n`,
    );
    const found: unknown[] = [];
    let path: string | undefined = '/v1/access/refused?limit=10';
    for (let pages = 0; path !== undefined && pages < 10; pages++) {
      const response = await app.call(path, { as: 'admin@example.com' });
      const { items } = (await response.json()) as { items: { email: string }[] };
      found.push(...items.map(({ email }) => email));
      path = /^<(.*)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    }
    expect(found).to.have.length(25);
    expect(new Set(found)).to.have.property('size', 25);
    await expectProblem(
      await app.call('/v1/access/refused?cursor=x', { as: 'admin@example.com' }),
      400,
      'bad_cursor',
    );
  });

  it('keeps at most 10,000 refused sign-ins, for at most 30 days', async () => {
    await start({ policy: 'invited', domains: [] });
    await app.database.query(
      `insert into refused_sign_ins (email, reason, last_at)
       select 'u' || n || '@example.net', 'account_required', now() - n * interval '1 minute' from generate_series(1, 10050) n`,
    );
    await app.database.query(
      `insert into refused_sign_ins (email, reason, last_at) values ('old@example.net', 'account_required', now() - interval '31 days')`,
    );
    await app.call('/v1/me', { as: 'eve@example.net' });
    const [row] = await app.database.query(
      `select count(*)::int as count, min(last_at) > now() - interval '30 days' as young from refused_sign_ins`,
    );
    expect(row?.['young']).to.equal(true);
    expect(row?.['count']).to.be.within(9_000, 10_000);
  });

  const floods: [what: string, reason: string, email: string][] = [
    ['one domain', 'account_required', `'u' || n || '@evil.example'`],
    ['one domain under a country', 'account_required', `'u' || n || '@evil.co.uk'`],
    ['the subdomains of one domain', 'account_suspended', `'u@s' || n || '.evil.example'`],
    ['emails that nobody has verified', 'email_unverified', `'u@evil' || n || '.example'`],
  ];
  for (const [what, reason, email] of floods) {
    it(`keeps the refused sign-ins of others in a flood from ${what}`, async () => {
      await start({ policy: 'invited', domains: [] });
      await app.database.query(
        `insert into refused_sign_ins (email, reason, last_at)
         select 'p' || n || '@' || domain, 'account_required', now() - interval '20 days'
           from generate_series(1, 50) n, unnest(array['firm.example', 'good.co.uk', 'mail.other.example']) as domain`,
      );
      await app.database.query(
        `insert into refused_sign_ins (email, reason, last_at)
         select ${email}, $1, now() - n * interval '1 ms' from generate_series(1, 11000) n`,
        [reason],
      );
      await app.call('/v1/me', { as: 'otto@example.net' });
      const [row] = await app.database.query(
        `select count(*)::int as count, count(*) filter (where email like 'p%')::int as others,
                bool_or(email = 'otto@example.net') as otto from refused_sign_ins`,
      );
      expect(row).to.deep.equal({ count: 9_000, others: 150, otto: true });
    });
  }
});
