import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A page in a real, headless Chromium, driven over its DevTools protocol. */
export interface Page {
  /** Everything that went wrong by the browser's account: console errors, exceptions, violations of the policy. */
  readonly complaints: string[];
  /** The URL of each request that the page made. */
  readonly requests: string[];
  goto(url: string): Promise<void>;
  /** Evaluates an expression in the page, as soon as it is truthy there, and returns its value (for an element, true). */
  when<T>(expression: string): Promise<T>;
  close(): Promise<void>;
}

/** Starts `CHROMIUM`, or else `chromium`, with a profile of its own. */
export async function openPage(): Promise<Page> {
  const profile = await mkdtemp(join(tmpdir(), 'rollcall-chromium-'));
  const browser = spawn(
    process.env['CHROMIUM'] ?? 'chromium',
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const protocol = await connect(await addressOf(browser));
  const complaints: string[] = [];
  const requests: string[] = [];

  const { targetId } = await protocol.send<{ targetId: string }>('Target.createTarget', {
    url: 'about:blank',
  });
  const { sessionId } = await protocol.send<{ sessionId: string }>('Target.attachToTarget', {
    targetId,
    flatten: true,
  });
  const send = <T>(method: string, params: object = {}) => protocol.send<T>(method, params, sessionId);
  protocol.on('Log.entryAdded', ({ entry }) => {
    if (entry.level !== 'verbose' && entry.level !== 'info') complaints.push(entry.text);
  });
  protocol.on('Runtime.exceptionThrown', ({ exceptionDetails }) =>
    complaints.push(exceptionDetails.exception?.description ?? exceptionDetails.text),
  );
  protocol.on('Runtime.consoleAPICalled', ({ type, args }) => {
    if (['error', 'warning', 'assert'].includes(type)) complaints.push(JSON.stringify(args));
  });
  protocol.on('Network.requestWillBeSent', ({ request }) => requests.push(request.url));
  for (const domain of ['Page', 'Log', 'Runtime', 'Network']) await send(`${domain}.enable`);

  return {
    complaints,
    requests,
    async goto(url) {
      const loaded = protocol.next('Page.loadEventFired');
      await send('Page.navigate', { url });
      await loaded;
    },
    async when<T>(expression: string) {
      const { result, exceptionDetails } = await send<{ result: { value: T }; exceptionDetails?: unknown }>(
        'Runtime.evaluate',
        {
          awaitPromise: true,
          returnByValue: true,
          expression: `new Promise((resolve, reject) => {
            const look = () => {
              try {
                const value = (${expression});
                if (!value) return;
                observer.disconnect();
                resolve(value instanceof Element || value);
              } catch (error) { reject(error); }
            };
            const observer = new MutationObserver(look);
            observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
            look();
          })`,
        },
      );
      if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
      return result.value;
    },
    async close() {
      const ended = once(browser, 'close');
      await protocol.send('Browser.close');
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function addressOf(browser: ChildProcess): Promise<string> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    browser.once('error', reject);
    browser.once('exit', () => reject(new Error(`Chromium ended: ${said.join('\n')}`)));
    if (browser.stderr === null) return;
    createInterface(browser.stderr).on('line', (line) => {
      said.push(line);
      const address = /^DevTools listening on (\S+)/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
}

/** What the protocol sends is as its manual says (chromedevtools.github.io); it has no types here. */
// biome-ignore lint/suspicious/noExplicitAny: see above
type Event = any;

async function connect(address: string) {
  const socket = new WebSocket(address);
  const waiting = new Map<number, { resolve: (result: Event) => void; reject: (error: Error) => void }>();
  const listeners = new Map<string, ((params: Event) => void)[]>();
  let last = 0;
  const on = (method: string, listener: (params: Event) => void) => {
    listeners.set(method, [...(listeners.get(method) ?? []), listener]);
  };
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error, method, params } = JSON.parse(data);
    if (id === undefined) for (const listener of listeners.get(method) ?? []) listener(params);
    else if (error) waiting.get(id)?.reject(new Error(error.message));
    else waiting.get(id)?.resolve(result);
  });
  await once(socket, 'open');
  return {
    on,
    next: (method: string) => new Promise<Event>((resolve) => on(method, resolve)),
    send: <T>(method: string, params: object = {}, sessionId?: string) =>
      new Promise<T>((resolve, reject) => {
        const id = ++last;
        waiting.set(id, { resolve, reject });
        socket.send(JSON.stringify({ id, method, params, sessionId }));
      }),
  };
}
