import {
  type Client,
  createClient,
  type FeedEntry,
  isProblem,
  type RefusalCode,
  Unreachable,
  verifyWebhook,
  WebhookError,
} from 'rollcall/client';
import { createPreferences } from 'rollcall/client/preferences';

/** What the story needs to know. */
export interface Stage {
  /** Where the service is, through a proxy. */
  readonly url: string;
  readonly token: string;
  /** What the accounts of this run are called. */
  readonly name: string;
  /** A `POST` there cuts off all answers of the service that are under way. */
  readonly cutUrl: string;
}

/** Does with the client what an app does, and returns what came of it. */
export async function story({ url, token, name, cutUrl }: Stage) {
  const client = clientOf(url, token);

  let listed = 0;
  for await (const account of client.users.list({ limit: 100, q: 'listed-' }))
    listed += account.email.startsWith('listed-') ? 1 : 0;

  const made = await client.users.create({ email: `${name}@example.com`, name: 'Ada' });
  await client.users.update(made.id, { name: 'Grace' });
  const stale = await codeOf(client.users.update(made, { name: 'Eve' }));
  const repeated = await client.users.update(made, (current) => ({ name: `${current.name} Hopper` }));
  const add = () =>
    client.users.update(made.id, ({ preferences }) => ({
      preferences: { visits: Number(preferences['visits'] ?? 0) + 1 },
    }));
  await Promise.all([add(), add(), add()]);
  const counted = await client.users.get(made.id);

  const taken = await codeOf(client.users.create({ email: made.email }));
  const nowhere = await createClient({ baseUrl: 'http://127.0.0.1:1', retries: 0 })
    .me.get()
    .catch((error: unknown) => error instanceof Unreachable);
  const aborted = await client.me.get({ signal: AbortSignal.abort('enough') }).catch((reason) => reason);

  const lines = new Blob([`{"email":"${name}-imported@example.com"}\n`], { type: 'application/x-ndjson' });
  const imported = await client.users.import(lines);
  const exported = await (await client.users.export({ format: 'ndjson', q: `${name}-imported` })).text();

  const preferences = createPreferences(client, { debounceMs: 10, storageKey: name });
  await preferences.account.refresh();
  preferences.update({ [name]: { theme: 'dark' } });
  await preferences.flush();

  return {
    listed,
    stale,
    repeated: repeated.name,
    visits: counted.preferences['visits'],
    taken,
    nowhere,
    aborted,
    imported: imported.created,
    exported: exported.trim().split('\n').length,
    preferences: [preferences.get().status, (await client.me.preferences.get())[name]],
    ...(await followed()),
  };

  /** Follows the feed across a stream that is cut off, and again after a position that was kept. */
  async function followed() {
    const states: string[] = [];
    const seen: FeedEntry[] = [];
    const emails = ['first', 'second', 'third'].map((which) => `${which}-${name}@example.com`);
    const create = (index: number) => client.users.create({ email: emails[index] ?? '' });
    const onState = (state: 'open' | 'lost') => {
      states.push(state);
      if (states.length === 1) void create(0);
    };
    for await (const change of client.changes({ since: 'now', onState })) {
      if (!emails.includes(change.after?.email ?? '')) continue;
      seen.push(change);
      if (seen.length === emails.length) break;
      if (seen.length === 1) await fetch(cutUrl, { method: 'POST' });
      await create(seen.length);
    }
    const [first] = seen;
    const resumed: FeedEntry[] = [];
    for await (const change of client.changes({ ...(first && { since: first.cursor }) })) {
      resumed.push(change);
      if (resumed.length === 2) break;
    }
    const names = (changes: FeedEntry[]) => changes.map(({ after }) => after?.email?.split('-')[0]);
    return { seen: names(seen), resumed: names(resumed), states };
  }
}

/** Answers a request of the test: `POST /story` plays it, `POST /hook` is a webhook, `GET /shared` calls with a client that requests share. */
export async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === '/story') return Response.json(await story(await request.json()));
  if (pathname === '/hook') return receive(request, searchParams.get('secret') ?? '');
  shared ??= clientOf(searchParams.get('service') ?? '', searchParams.get('token') ?? '');
  return new Response((await shared.me.get()).email);
}

let shared: Client | undefined;

async function receive(request: Request, secret: string): Promise<Response> {
  try {
    return new Response((await verifyWebhook(request, secret)).type);
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    return new Response(error.code, { status: 401 });
  }
}

/** A client whose first token is refused, and which waits for the next one, as for a sign-in. */
function clientOf(baseUrl: string, token: string): Client {
  let current = 'expired';
  return createClient({
    baseUrl,
    token: async (refused) => {
      if (refused === undefined) return current;
      await new Promise((resolve) => setTimeout(resolve, 100));
      current = token;
      return current;
    },
  });
}

async function codeOf(call: Promise<unknown>): Promise<RefusalCode | undefined> {
  const error = await call.catch((thrown: unknown) => thrown);
  if (!isProblem(error)) throw error;
  return error.code;
}
