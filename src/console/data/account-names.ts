import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { call } from './api.ts';

/** What an account is called. */
export interface KnownAccount {
  /** `undefined` where nothing has it any more. */
  readonly email: string | undefined;
  /** Whether it is gone, and its history too. */
  readonly state: 'present' | 'deleted' | 'erased';
}

/** The most accounts that the service names in one answer. */
const MOST = 100;

/** The accounts by their ids, as far as they have been asked for. */
const known = signal<ReadonlyMap<number, KnownAccount>>(new Map());
const asked = new Set<number>();
let waiting: number[] = [];

/** What an account is called, once it is known: asked for once, with the others that are asked for at the same time. */
export function useAccountName(id: number | undefined): KnownAccount | undefined {
  useEffect(() => {
    if (id !== undefined) want(id);
  }, [id]);
  return id === undefined ? undefined : known.value.get(id);
}

function want(id: number): void {
  if (asked.has(id)) return;
  asked.add(id);
  if (waiting.length === 0) queueMicrotask(askAll);
  waiting.push(id);
}

function askAll(): void {
  const ids = waiting;
  waiting = [];
  for (let first = 0; first < ids.length; first += MOST) ask(ids.slice(first, first + MOST));
}

async function ask(ids: readonly number[]): Promise<void> {
  try {
    const { items } = await call('GET /v1/users', { query: { ids: ids.join(), limit: `${MOST}` } });
    learn(items.map(({ id, email }) => [id, { email, state: 'present' }]));
    const found = new Set(items.map(({ id }) => id));
    for (const id of ids) if (!found.has(id)) learn([[id, await goneAccount(id)]]);
  } catch {
    // Without a name, an account is shown by its id.
    for (const id of ids) if (!known.peek().has(id)) asked.delete(id);
  }
}

/** An account that is gone, as its history has it. */
async function goneAccount(id: number): Promise<KnownAccount> {
  const query = { userId: `${id}`, action: 'deleted', limit: '1' } as const;
  const [deletion] = (await call('GET /v1/history', { query })).items;
  const isErased = deletion !== undefined && deletion.erasedAt !== null;
  return { email: deletion?.before?.email, state: isErased ? 'erased' : 'deleted' };
}

function learn(accounts: readonly (readonly [number, KnownAccount])[]): void {
  known.value = new Map([...known.peek(), ...accounts]);
}
