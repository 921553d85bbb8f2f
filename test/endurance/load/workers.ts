import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '../client.ts';
import { oneOf, type Random, randomOf } from '../random.ts';
import { actAsAdmin } from './admin.ts';
import type { Person } from './people.ts';

/** How many requests of each kind there are at a time. */
const WRITERS = 10;
const READERS = 4;
const ADMINS = 4;

/** The ordinary load of a run. */
export interface Load {
  /** Resolves when the last request has been answered. */
  stop(): Promise<void>;
}

/** Starts the load. Each worker waits for about `pauseMs` between two requests. */
export function startLoad(client: Client, people: readonly Person[], seed: number, pauseMs: number): Load {
  let isOver = false;
  const work = async (act: () => Promise<unknown>, random: Random) => {
    while (!isOver) {
      await act();
      await pause(2 * random() * pauseMs);
    }
  };
  const workers = Array.from({ length: WRITERS + READERS + ADMINS }, (_, n) => {
    const random = randomOf(seed + n);
    if (n < WRITERS) return work(() => write(client, oneOf(random, people), `w${n}`, random), random);
    if (n < WRITERS + READERS) return work(() => read(client, oneOf(random, people)), random);
    return work(actAsAdmin(client, people, random), random);
  });
  return {
    async stop() {
      isOver = true;
      await Promise.all(workers);
    },
  };
}

/** Reads one's own account, and returns its version. */
async function read(client: Client, { email, id }: Person): Promise<number | undefined> {
  const answer = await client.send({ method: 'GET', path: '/v1/me', as: email });
  if (answer?.status !== 200 || answer.version === undefined) return undefined;
  Object.assign(answer.entry, { userId: id, version: answer.version });
  return answer.version;
}

/** Writes one's own preferences, with `If-Match` or without, and with `Idempotency-Key` or without. */
async function write(client: Client, person: Person, key: string, random: Random): Promise<void> {
  const version = random() < 0.5 ? await read(client, person) : undefined;
  const answer = await client.send({
    method: 'PATCH',
    path: '/v1/me/preferences',
    as: person.email,
    isKeyed: random() < 0.5,
    action: 'updated',
    body: (mark) => ({ [key]: mark }),
    ...(version !== undefined && { headers: { 'If-Match': `"${version}"` } }),
  });
  if (answer?.status === 200 && answer.version !== undefined)
    Object.assign(answer.entry, { userId: person.id, version: answer.version });
}
