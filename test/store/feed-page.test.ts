import { expect } from 'chai';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { feedCursor, feedStart } from '../../src/http/answer/feed-cursor.ts';
import { openFeed } from '../../src/services/feed/open-feed.ts';
import { FORMATS } from '../../src/services/transfer/formats/index.ts';
import { importAccounts } from '../../src/services/transfer/import.ts';
import { feedEnd, pageStatement, readFeedPage } from '../../src/store/feed-page.ts';
import {
  comparePositions,
  FEED_START,
  type FeedEntry,
  type FeedPosition,
} from '../../src/store/feed-position.ts';
import { addAccount } from '../support/accounts.ts';
import { addChanges } from '../support/changes.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { readFeed } from '../support/feed.ts';
import { testStore } from '../support/store.ts';
import { until } from '../support/until.ts';

describe('pages of the change feed', () => {
  const store = testStore();

  const em = () => store.em;
  const rename = (id: number, name: string) =>
    store.as(COMMAND_LINE)(async (unit) => {
      const user = await unit.em.findOneOrFail(User, { id });
      await unit.claim(user);
      user.name = name;
    });
  /** Whether a transaction has written something and is still open. */
  const hasWritten = async () => {
    const open = await store.database.query(
      'select from pg_stat_activity where datname = current_database() and backend_xid is not null',
    );
    return open.length > 0;
  };
  const summaries = (entries: readonly FeedEntry[]) =>
    entries.map(({ change }) => `${change.userId} ${change.version}`);

  it('start with the first change and end with the last', async () => {
    expect(await readFeed(em(), FEED_START, 10)).to.deep.equal([]);
    expect(await feedEnd(em())).to.deep.include(FEED_START);
    const { id } = await addAccount(store.database, 'ada@example.com');
    await rename(id, 'Ada');
    const entries = await readFeed(em(), FEED_START, 10);
    expect(summaries(entries)).to.deep.equal([`${id} 1`, `${id} 2`]);
    expect(entries[1]?.change).to.deep.include({ action: 'updated', after: { name: 'Ada' }, actor: 'cli' });
    expect(await feedEnd(em())).to.deep.equal(entries[1]?.position);
    expect(await readFeed(em(), await feedEnd(em()), 10)).to.deep.equal([]);
  });

  it('withhold changes younger than a running transaction until it ends', async () => {
    const [x, y] = [
      await addAccount(store.database, 'x@example.com'),
      await addAccount(store.database, 'y@example.com'),
    ];
    const begun = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const older = store.as(COMMAND_LINE)(async ({ em }) => {
      await em.begin();
      (await em.findOneOrFail(User, { id: x.id })).name = 'older';
      await em.flush();
      begun.resolve();
      await released.promise;
    });
    try {
      await Promise.race([begun.promise, older]);
      await rename(y.id, 'younger');
      const before = await readFeedPage(em(), FEED_START, 10);
      expect(summaries(before.entries)).to.deep.equal([`${x.id} 1`, `${y.id} 1`]);
      expect(before.isWithheld).to.equal(true);
    } finally {
      released.resolve();
      await older;
    }
    const after = await readFeedPage(em(), FEED_START, 10);
    expect(summaries(after.entries)).to.deep.equal([`${x.id} 1`, `${y.id} 1`, `${x.id} 2`, `${y.id} 2`]);
    expect(after.isWithheld).to.equal(false);
  });

  it('keep the changes of an account in order when an import that began earlier reaches it later', async () => {
    const { id } = await addAccount(store.database, 'ada@example.com');
    const released = Promise.withResolvers<void>();
    async function* lines() {
      yield Buffer.from('{"email":"first@example.com"}\n');
      // More than one batch, so that the first is written before the rest arrives.
      for (let n = 0; n < 2_000; n++) yield Buffer.from(`{"email":"p${n}@example.com"}\n`);
      await released.promise;
      yield Buffer.from('{"email":"ada@example.com","name":"from the import"}\n');
    }
    const importing = store.as(COMMAND_LINE)(
      (unit) =>
        importAccounts(unit, FORMATS[0].read(lines()), {
          mode: 'upsert',
          partial: false,
          rules: { maxBytes: 1_000 },
        }),
      { replays: false },
    );
    let seen: FeedEntry[];
    try {
      await until('the write', hasWritten);
      await rename(id, 'Ada');
      await rename(id, 'Countess');
      seen = [...(await readFeed(em(), FEED_START, 1_000))];
    } finally {
      released.resolve();
      await importing;
    }
    expect(summaries(seen)).to.deep.equal([`${id} 1`]);
    for (;;) {
      const next = await readFeed(em(), seen.at(-1)?.position ?? FEED_START, 100);
      if (next.length === 0) break;
      seen.push(...next);
    }
    expect(seen).to.have.length(1 + 2_001 + 3);
    const adas = seen.filter(({ change }) => change.userId === id);
    expect(summaries(adas)).to.deep.equal([`${id} 1`, `${id} 2`, `${id} 3`, `${id} 4`]);
    expect(adas.at(-1)?.change.after).to.deep.equal({ name: 'from the import' });
    // The import has a position before the renames, except for the account that it changed after them.
    expect(seen[1]?.change.after).to.include({ email: 'first@example.com' });
    expect(adas[3]?.position.transactionId).to.equal(adas[2]?.position.transactionId);
    const rows = await store.database.query('select transaction_id from changes where user_id <> $1', [id]);
    expect(BigInt(rows[0]?.['transaction_id']) < BigInt(adas[1]?.position.transactionId ?? 0)).to.equal(true);
  });

  it('are not held back by a transaction that only reads', async () => {
    const reader = await store.database.connect();
    await reader.query('begin isolation level repeatable read; select count(*) from users');
    await addAccount(store.database, 'ada@example.com');
    const { entries, isWithheld } = await readFeedPage(em(), FEED_START, 10);
    expect([entries.length, isWithheld]).to.deep.equal([1, false]);
  });

  it('are held back by a transaction that writes to another database of the cluster', async () => {
    const other = await createEmptyDatabase();
    try {
      const writer = await other.connect();
      await writer.query('begin; create table something ()');
      await addAccount(store.database, 'ada@example.com');
      expect(await readFeedPage(em(), FEED_START, 10)).to.deep.include({ entries: [], isWithheld: true });
      await writer.query('rollback');
      expect(await readFeed(em(), FEED_START, 10)).to.have.length(1);
    } finally {
      await other.drop();
    }
  });

  it('return ten thousand entries once each, for any page size', async () => {
    for (let at = 0; at < 4; at++) await addChanges(store.database, 2_500);
    for (const limit of [7, 1_000]) {
      const ids: number[] = [];
      let after = FEED_START;
      for (;;) {
        const entries = await readFeed(em(), after, limit);
        expect(entries.length).to.be.at.most(limit);
        const last = entries.at(-1);
        if (last === undefined) break;
        ids.push(...entries.map(({ change }) => change.id));
        after = last.position;
      }
      expect(ids).to.deep.equal(Array.from({ length: 10_000 }, (_, n) => n + 1));
    }
  });

  it('cost the same at the start and at the end of the feed', async () => {
    await addChanges(store.database, 20_000);
    await store.database.query('analyze changes');
    for (const position of [FEED_START, await feedEnd(em())]) {
      const { text, values } = pageStatement(position, 100);
      const [plan] = await store.database.query(`explain (analyze, timing off, format json) ${text}`, [
        ...values,
      ]);
      const scans = nodesOf(plan?.['QUERY PLAN'][0].Plan).filter(
        (node) => node['Relation Name'] === 'changes',
      );
      // The newest entry, that at the position, and the page.
      expect(scans).to.have.length(3);
      for (const scan of scans) {
        expect(scan['Actual Rows']).to.be.at.most(100);
        // The entry at the position may be found by its id.
        if (scan['Index Name'] === 'changes_pkey') continue;
        expect(scan).to.include({ 'Index Name': 'changes_transaction_id_id_index' });
        expect(scan).to.not.have.property('Rows Removed by Filter');
      }
    }
  });

  it('open only at an entry, at the start, or now', async () => {
    await addAccount(store.database, 'ada@example.com');
    await addAccount(store.database, 'grace@example.com');
    const [first, second] = await readFeed(em(), FEED_START, 10);
    const open = async (cursor?: string) => openFeed(em(), feedStart(cursor), 10);
    const idsOf = (entries: readonly FeedEntry[]) => entries.map(({ change }) => change.id);
    expect(idsOf((await open()).entries)).to.deep.equal([1, 2]);
    expect(idsOf((await open('0-0')).entries)).to.deep.equal([1, 2]);
    const cursor = feedCursor((first as FeedEntry).position);
    const { after, entries } = await open(cursor);
    expect([after, idsOf(entries)]).to.deep.equal([first?.position, [2]]);
    const end = await open('now');
    expect([feedCursor(end.after).split('-')[1], end.entries]).to.deep.equal([`${second?.change.id}`, []]);
    const [transactionId, id] = cursor.split('-').map(Number) as [number, number];
    for (const hostile of [
      '',
      '-',
      'Now',
      ' now',
      '0-1',
      `${transactionId}`,
      `${transactionId}-`,
      `${transactionId}-0`,
      `${transactionId}-${id + 99}`,
      `0${transactionId}-${id}`,
      `${transactionId}-0${id}`,
      `-${transactionId}-${id}`,
      `${transactionId}-${id} `,
      `${transactionId}-${id}\n`,
      `${transactionId}--${id}`,
      `${cursor}0000000000000000`,
      `${cursor}-1`,
      cursor.replace(/-\d+$/, ''),
      cursor.replace(/-\d+$/, '--1'),
      cursor.toUpperCase().replace(/\d/g, 'A'),
      `${transactionId}-${id + 99}-${cursor.split('-').slice(2).join('-')}`,
      `${transactionId}.0-${id}`,
      `9999999999999999999-999999999999999`,
      `18446744073709551616-1`,
      '٣-٣',
      "1-1'; drop table changes; --",
      '1'.repeat(1_000_000),
      '\0',
    ]) {
      const error = await open(hostile).catch((thrown) => thrown);
      expect(error, JSON.stringify(hostile.slice(0, 40))).to.include({ code: 'bad_cursor' });
    }
  });
});

describe('a position in the feed', () => {
  it('compares by transaction and then by id, also beyond safe integers', () => {
    const positions = ['0-0', '9-5', '10-1', '10-2', '9007199254740992-1', '9007199254740993-1'].map(
      (cursor) => feedStart(cursor) as FeedPosition,
    );
    for (const [at, position] of positions.entries()) {
      for (const [other, another] of positions.entries()) {
        expect(Math.sign(comparePositions(position, another))).to.equal(Math.sign(at - other));
      }
    }
  });

  it('survives the round trip through its cursor', () => {
    const position = { transactionId: '9223372036854775807', id: 12 };
    const read = { ...position, seen: { epoch: '0123456789ab', lsn: '999999999999999999' } };
    for (const each of [position, read]) expect(feedStart(feedCursor(each))).to.deep.equal(each);
  });
});

type PlanNode = Record<string, unknown> & { Plans?: PlanNode[] };

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}
