import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { changeStream, type SharedChunks } from '../../src/http/answer/change-stream.ts';
import { FEED_START, type FeedEntry } from '../../src/store/feed-position.ts';
import { addChanges } from '../support/changes.ts';
import { readFeed } from '../support/feed.ts';
import { testStore } from '../support/store.ts';
import { until } from '../support/until.ts';

describe('the chunks of event streams', () => {
  const store = testStore();

  /** The chunks that a follower gets of these live entries, without the reconnection time. */
  const follow = async (entries: readonly FeedEntry[], chunks: SharedChunks) => {
    async function* live() {
      yield entries;
    }
    const stream = changeStream({
      after: FEED_START,
      entries: [],
      live: live(),
      isLast: () => false,
      requestId: 'a',
      stallMs: 60_000,
      chunks,
    });
    const [, ...parts] = (await stream.toArray()) as Buffer[];
    return parts;
  };

  it('are the same bytes for all followers of the same entries, from wherever they follow', async () => {
    await addChanges(store.database, 400, 1_000);
    const entries = await readFeed(store.em, FEED_START, 400);
    const chunks: SharedChunks = new WeakMap();
    const first = await follow(entries, chunks);
    expect(first.length).to.be.greaterThan(3);
    const second = await follow(entries, chunks);
    expect(second.every((bytes, n) => bytes === first[n])).to.equal(true);
    const late = Buffer.concat(await follow(entries.slice(7), chunks)).toString();
    expect(Buffer.concat(first).toString().endsWith(late)).to.equal(true);
    expect(late.match(/^id: /gm)).to.have.length(393);
  });

  it('are gone with their entries', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await addChanges(store.database, 3);
    const chunks: SharedChunks = new WeakMap();
    let entries: readonly FeedEntry[] | undefined = await readFeed(store.em, FEED_START, 3);
    const chunkOf = async (all: readonly FeedEntry[]) => (await follow(all, chunks))[0];
    const bytes = new WeakRef((await chunkOf(entries)) as Buffer);
    await nextTurn();
    collect();
    expect(bytes.deref() === (await chunkOf(entries))).to.equal(true);
    entries = undefined;
    await until('the end of the bytes', async () => {
      await nextTurn();
      collect();
      return bytes.deref() === undefined;
    });
  });
});
