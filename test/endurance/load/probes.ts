import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '../client.ts';
import { createPeople } from './people.ts';
import type { Load } from './workers.ts';

/** How far apart the writes to a replica are, in milliseconds. */
const APART_MS = 250;

/**
 * Writes at each replica all the time, whether or not the last write there has been answered: so the ledger tells how long a replica
 * has acknowledged nothing. Ordinary workers cannot tell, because one that hangs holds up those that are at the others.
 */
export async function startProbes(client: Client, replicas: number): Promise<Load> {
  const accounts = await createPeople(client, 'probe', replicas);
  let isOver = false;
  const probe = async (replica: number, email: string) => {
    const sent = new Set<Promise<unknown>>();
    for (let n = 0; !isOver; n++) {
      const answer = client.send({
        method: 'PATCH',
        path: '/v1/me/preferences',
        as: email,
        replica,
        action: 'updated',
        body: (mark) => ({ [`p${n % 20}`]: mark }),
      });
      sent.add(answer);
      answer.finally(() => sent.delete(answer));
      await pause(APART_MS);
    }
    await Promise.all(sent);
  };
  const probing = Promise.all(accounts.map(({ email }, replica) => probe(replica, email)));
  return {
    async stop() {
      isOver = true;
      await probing;
    },
  };
}
