import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import pg from 'pg';
import { ormOptions } from '../../mikro-orm.config.ts';
import { feedCursor, feedStart } from '../../src/http/answer/feed-cursor.ts';
import { openFeed } from '../../src/services/feed/open-feed.ts';
import { renewEpoch } from '../../src/store/feed-epoch.ts';
import type { FeedPosition } from '../../src/store/feed-position.ts';
import { addAccount } from '../support/accounts.ts';
import { addChanges } from '../support/changes.ts';
import { placeOf } from '../support/feed.ts';
import { testStore } from '../support/store.ts';

describe('an epoch of the change feed', () => {
  const store = testStore();

  const epochs = () => store.database.query('select * from feed_epochs order by number');
  const open = (cursor: string) => openFeed(store.em, feedStart(cursor), 10);
  const present = async () => feedCursor((await openFeed(store.em, 'now', 10)).after);
  const codeOf = async (cursor: string) => {
    const outcome = await open(cursor).catch((error: { code: string }) => error);
    return 'code' in outcome ? outcome.code : 'accepted';
  };
  /** What the next server finds that is not the one of the last epoch. */
  const change = () => store.database.query(`update feed_epochs set server = 'another'`);

  beforeEach(async () => {
    await addAccount(store.database, 'ada@example.com', { role: 'admin' });
  });

  it('begins once, whoever asks', async () => {
    const found = await Promise.all(Array.from({ length: 8 }, () => renewEpoch(store.em)));
    expect(await epochs()).to.have.length(1);
    await present();
    expect(await epochs()).to.have.length(1);
    for (const each of found) expect(each).to.include({ hasChanged: false, isKnown: true });
    await change();
    const changed = await Promise.all(Array.from({ length: 8 }, () => renewEpoch(store.em)));
    expect(changed.filter(({ hasChanged }) => hasChanged)).to.have.length(1);
    expect(await epochs()).to.have.length(2);
  });

  it('is begun by whoever reads the feed, and refuses the cursors of the one before', async () => {
    const before = await present();
    expect(await codeOf(before)).to.equal('accepted');
    await change();
    expect(await codeOf(before)).to.equal('cursor_outdated');
    expect(await epochs()).to.have.length(2);
    expect(await codeOf(await present())).to.equal('accepted');
    expect(await codeOf('0-0')).to.equal('accepted');
  });

  it('accepts the cursors of older versions while it is the first, and turns them into its own', async () => {
    const cursor = placeOf(await present());
    const { after } = await open(cursor);
    expect(feedCursor(after)).to.match(new RegExp(`^${cursor}-[0-9a-f]{12}-\\d+$`));
    await change();
    expect(await codeOf(cursor)).to.equal('cursor_outdated');
    expect(await codeOf(feedCursor(after))).to.equal('cursor_outdated');
  });

  it('keeps what was read before the fork, and nothing that was read after it', async () => {
    const read: FeedPosition[] = [];
    for (let n = 0; n < 3; n++) {
      await addChanges(store.database, 1);
      read.push((await openFeed(store.em, 'now', 10)).after);
    }
    const [first, second, third] = read.map(feedCursor) as [string, string, string];
    await change();
    await renewEpoch(store.em);
    await store.database.query('update feed_epochs set forked_at = $1 where number = 2', [
      read[1]?.seen?.lsn,
    ]);
    expect([await codeOf(first), await codeOf(second)]).to.deep.equal(['accepted', 'accepted']);
    expect(await codeOf(third)).to.equal('cursor_outdated');
    // A later fork cannot bring back what an earlier one has lost.
    await change();
    await renewEpoch(store.em);
    await store.database.query('update feed_epochs set forked_at = $1 where number = 3', [
      read[2]?.seen?.lsn,
    ]);
    expect([await codeOf(first), await codeOf(second)]).to.deep.equal(['accepted', 'accepted']);
    expect(await codeOf(third)).to.equal('cursor_outdated');
  });

  it('refuses what was read later than its log has come, as after a restored copy of the files', async () => {
    const cursor = await present();
    expect(await codeOf(cursor.replace(/\d+$/, (lsn) => String(BigInt(lsn) + 10n ** 12n)))).to.equal(
      'cursor_outdated',
    );
  });

  it('is another one in a copy of the database on the same server', async () => {
    const cursor = await present();
    await store.orm.close(true);
    const url = new URL(store.database.url);
    const copy = `${store.database.name}_copy`;
    url.pathname = '/postgres';
    const admin = new pg.Client({ connectionString: url.href });
    await admin.connect();
    url.pathname = `/${copy}`;
    let orm: MikroORM | undefined;
    try {
      await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${store.database.name}'`,
      );
      await admin.query(`create database "${copy}" template "${store.database.name}"`);
      orm = await MikroORM.init(ormOptions({ ...store.database, url: url.href }));
      const error = await openFeed(orm.em.fork(), feedStart(cursor), 10).catch((thrown) => thrown);
      expect(error).to.include({ code: 'cursor_outdated' });
    } finally {
      await orm?.close(true);
      await admin.query(`drop database if exists "${copy}" with (force)`);
      await admin.end();
      await store.reopen(ormOptions(store.database));
    }
  });

  it('lasts for a role that may not ask the server who it is', async () => {
    const role = `${store.database.name}_role`;
    await store.database.query(`
      create role "${role}" login password 'secret'; grant usage on schema public to "${role}";
      grant all on all tables in schema public to "${role}"; revoke execute on function pg_control_system() from public`);
    try {
      const url = new URL(store.database.url);
      Object.assign(url, { username: role, password: 'secret' });
      await store.reopen(ormOptions({ ...store.database, url: url.href }));
      expect(await renewEpoch(store.em)).to.include({ isKnown: false });
      const cursor = await present();
      expect(await codeOf(cursor)).to.equal('accepted');
      expect(await renewEpoch(store.em)).to.include({ hasChanged: false });
      await change();
      expect(await codeOf(cursor)).to.equal('cursor_outdated');
    } finally {
      await store.reopen(ormOptions(store.database));
      await store.database.query(`
        grant execute on function pg_control_system() to public; drop owned by "${role}"; drop role "${role}"`);
    }
  });

  for (const [what, code, outcome] of [
    ['a right that is missing', '42501', 'unknown'],
    ['a function that the server lacks', '42883', 'unknown'],
    ['a function that a provider has switched off', '0A000', 'unknown'],
    ['a fault that passes', '53200', '53200'],
    ['a statement that is cancelled', '57014', '57014'],
    ['a control file that cannot be read', 'XX001', 'XX001'],
  ]) {
    it(`is asked for by a statement that ${outcome === code ? 'fails' : 'does not know it'} after ${what}`, async () => {
      const session = await store.database.connect();
      await session.query(`
        create function public.pg_control_system(out system_identifier bigint) language plpgsql as $$
          begin raise exception 'none' using errcode = '${code}'; end $$;
        set search_path = public, pg_catalog`);
      const found = await session.query('select server from rollcall_server()').then(
        ({ rows }) => rows[0].server.split('/')[0],
        (error) => error.code,
      );
      expect(found).to.equal(outcome);
    });
  }
});
