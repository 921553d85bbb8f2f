import type { Contender } from './contenders.ts';
import { admins } from './people.ts';
import type { Clock } from './usage.ts';

/** How many seconds a transfer took until its answer was there, and of the processor in the service and in PostgreSQL. */
export interface Transfer {
  readonly contender: string;
  readonly name: string;
  readonly seconds: number;
  readonly serverSeconds: number;
  readonly databaseSeconds: number;
}

/** The most accounts that are imported. */
const MAX_IMPORTED = 100_000;

/** Imports new accounts into a server, imports the same file again, which changes nothing, and exports all accounts. `shared` is the clock of the benchmark's database. */
export async function transfers(
  { name: contender, url, clock, databaseClock: own }: Contender,
  shared: Clock,
  accounts: number,
): Promise<Transfer[]> {
  const databaseClock = own ?? shared;
  const count = Math.min(accounts, MAX_IMPORTED);
  const lines = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ email: `t${n}@example.com`, name: `Imported ${n}`, preferences: { theme: 'dark' } }),
  );
  const body = `${lines.join('\n')}\n`;
  const [admin] = await admins();
  const send = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(url + path, { ...init, headers: { ...admin, ...init.headers } });
    const { length } = await answer.text();
    if (answer.status !== 200 || length === 0) throw new Error(`${path}: ${answer.status}`);
  };
  const upload = (mode: string) =>
    send(`/v1/users/import?mode=${mode}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson' },
      body,
    });
  const time = async (name: string, work: () => Promise<void>): Promise<Transfer> => {
    const before = [await clock(), await databaseClock()] as const;
    const began = performance.now();
    await work();
    const seconds = (performance.now() - began) / 1_000;
    return {
      contender,
      name,
      seconds,
      serverSeconds: ((await clock()) - before[0]) / 1e6,
      databaseSeconds: ((await databaseClock()) - before[1]) / 1e6,
    };
  };
  return [
    await time(`import of ${count} new accounts`, () => upload('create')),
    await time(`import of the same ${count}, unchanged`, () => upload('upsert')),
    await time(`export of ${accounts + count} accounts`, () => send('/v1/users/export')),
  ];
}
