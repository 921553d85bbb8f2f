import { expect } from 'chai';
import { createClient, isProblem } from '../../src/client/index.ts';
import {
  AccountStore,
  createPreferences,
  type PreferencesOptions,
  type PreferencesStorage,
  type PreferencesStore,
} from '../../src/client/preferences.ts';
import { signHs256 } from '../../src/security/hmac.ts';
import { addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { until } from '../support/until.ts';

const ADA = 'ada@example.com';
const BOB = 'bob@example.com';

/** Like that of a browser, without one. */
function memory(): PreferencesStorage & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return {
    texts,
    getItem: (key) => texts.get(key) ?? null,
    setItem: (key, value) => void texts.set(key, value),
    removeItem: (key) => void texts.delete(key),
  };
}

describe('preferences kept by the client', () => {
  let app: TestApp;
  let proxy: FaultyProxy;
  let stops: (() => void)[];

  beforeEach(async () => {
    app = await startApp({ streamTimes: { keepAliveMs: 100 } });
    proxy = await startFaultyProxy(app.url);
    stops = [];
    await addAccount(app.database, ADA, { role: 'admin' });
    await addAccount(app.database, BOB);
  });

  afterEach(async () => {
    for (const stop of stops) stop();
    await proxy.close();
    await app.close();
  });

  const clientOf = (as = ADA, baseUrl = proxy.url) =>
    createClient({ baseUrl, token: () => signHs256(SECRET, as, '1h'), retries: 0 });
  /** The service, past the proxy. */
  const elsewhere = (as = ADA) => clientOf(as, app.url);
  const open = (options: PreferencesOptions = {}, as = ADA) => {
    const preferences = createPreferences(clientOf(as), { debounceMs: 20, storage: memory(), ...options });
    stops.push(
      preferences.subscribe(() => undefined),
      () => preferences.forget(),
    );
    return preferences;
  };
  const settled = (preferences: PreferencesStore, status = 'saved') =>
    until(status, () => preferences.get().status === status);
  const writes = () => proxy.seen.filter(({ method }) => method === 'PATCH').length;

  it('show changes at once, and send several together', async () => {
    await elsewhere().me.preferences.replace({ language: 'en', sidebar: { open: true, width: 200 } });
    const preferences = open();
    await settled(preferences);
    const seen: unknown[] = [];
    stops.push(preferences.subscribe(() => seen.push(preferences.get().value)));
    preferences.update({ theme: 'dark' });
    preferences.update({ sidebar: { width: 300 } });
    preferences.update((value) => ({ language: value['language'] === 'en' ? null : 'en' }));
    const expected = { theme: 'dark', sidebar: { open: true, width: 300 } };
    expect(preferences.get()).to.deep.include({ value: expected, status: 'pending' });
    expect(seen[0]).to.deep.include({ theme: 'dark', language: 'en' });
    await settled(preferences);
    expect(writes()).to.equal(1);
    expect(await elsewhere().me.preferences.get()).to.deep.equal(expected);
    preferences.update({ theme: 'dark' });
    expect(preferences.get().status).to.equal('saved');
  });

  it('merge what others change meanwhile, path by path', async () => {
    const preferences = open({ debounceMs: 60_000 });
    await settled(preferences);
    preferences.update({ mine: 1, both: { here: true, contested: 'mine' } });
    await elsewhere().me.preferences.update({ theirs: 2, both: { there: true, contested: 'theirs' } });
    await preferences.flush();
    const expected = { mine: 1, theirs: 2, both: { here: true, there: true, contested: 'mine' } };
    expect(preferences.get()).to.deep.include({ value: expected, status: 'saved' });
    expect(await elsewhere().me.preferences.get()).to.deep.equal(expected);
  });

  it('let the app decide about a path that has changed on both sides', async () => {
    await elsewhere().me.preferences.replace({ theme: 'light', size: 1 });
    const conflicts: unknown[] = [];
    const preferences = open({
      debounceMs: 60_000,
      onConflict: (conflict) => {
        conflicts.push(conflict);
        return 'theirs';
      },
    });
    await settled(preferences);
    preferences.update({ theme: null, size: 2 });
    await elsewhere().me.preferences.update({ theme: 'dark' });
    await preferences.flush();
    expect(conflicts).to.deep.equal([{ path: ['theme'], mine: undefined, theirs: 'dark', before: 'light' }]);
    expect(await elsewhere().me.preferences.get()).to.deep.equal({ theme: 'dark', size: 2 });
    expect(preferences.get().value).to.deep.equal({ theme: 'dark', size: 2 });
  });

  it('wait while the service is away, and are sent once it is back', async () => {
    const preferences = open();
    await settled(preferences);
    proxy.next('refuse', 'lose');
    preferences.update({ theme: 'dark' });
    await settled(preferences, 'offline');
    expect(preferences.get().value).to.deep.equal({ theme: 'dark' });
    preferences.update({ size: 2 });
    await settled(preferences);
    expect(await elsewhere().me.preferences.get()).to.deep.equal({ theme: 'dark', size: 2 });
  });

  it('survive a restart while offline, and are not those of somebody else then', async () => {
    const storage = memory();
    const before = open({ storage });
    await settled(before);
    await elsewhere().me.preferences.update({ language: 'de' });
    await before.account.refresh();
    proxy.next('refuse', 'refuse', 'refuse');
    before.update({ theme: 'dark' });
    await settled(before, 'offline');
    const kept = new Map(storage.texts);
    before.forget();
    expect(storage.texts.size).to.equal(0);

    const restart = () => {
      const again = memory();
      for (const [key, text] of kept) again.setItem(key, text);
      return again;
    };
    const stranger = open({ storage: restart(), debounceMs: 60_000 }, BOB);
    await settled(stranger);
    expect(stranger.get().value).to.deep.equal({});
    const after = open({ storage: restart() });
    expect(after.get().value).to.deep.equal({ language: 'de', theme: 'dark' });
    await settled(after);
    expect(await elsewhere().me.preferences.get()).to.deep.equal({ language: 'de', theme: 'dark' });
    expect(await elsewhere(BOB).me.preferences.get()).to.deep.equal({});
  });

  it('take back what the service refuses, and nothing else', async () => {
    const preferences = open();
    await settled(preferences);
    const arrived = proxy.arrived();
    preferences.update({ big: 'x'.repeat(20_000) });
    const flushed = preferences.flush().catch((error: unknown) => error);
    await arrived;
    preferences.update({ theme: 'dark' });
    expect(isProblem(await flushed)).to.equal(true);
    await preferences.flush();
    expect(preferences.get().value).to.deep.equal({ theme: 'dark' });
    expect(await elsewhere().me.preferences.get()).to.deep.equal({ theme: 'dark' });
  });

  it('follow the stream, and do not mistake their own changes for those of others', async () => {
    const client = clientOf();
    let isOpen = false;
    const account = new AccountStore(client, {
      changes: (signal) =>
        client.changes({
          since: 'now',
          signal,
          onState: (state) => {
            isOpen = state === 'open';
          },
        }),
    });
    let conflicts = 0;
    const preferences = open({
      account,
      onConflict: () => {
        conflicts++;
        return 'mine';
      },
    });
    await settled(preferences);
    await until('the stream', () => isOpen);
    preferences.update({ theme: 'dark' });
    preferences.flush().catch(() => undefined);
    await elsewhere(ADA).me.update({ name: 'Ada' });
    await settled(preferences);
    await elsewhere().me.preferences.update({ theme: 'light' });
    await until('the change', () => preferences.get().value['theme'] === 'light');
    await until('the name', () => account.get().account?.name === 'Ada');
    expect(conflicts).to.equal(0);
    expect(preferences.get().status).to.equal('saved');
  });

  it('add up what two devices change at once, many times', async () => {
    const [one, two] = [open(), open()];
    await settled(one);
    await settled(two);
    for (let index = 0; index < 10; index++) {
      one.update({ [`one${index}`]: index });
      two.update({ [`two${index}`]: index });
      await Promise.all([one.flush(), two.flush()].map((work) => work.catch(() => undefined)));
    }
    await settled(one);
    await settled(two);
    expect(Object.keys(await elsewhere().me.preferences.get())).to.have.length(20);
  });
});
