import { startServer } from '../support/server-process.ts';
import { startDatabase } from './database.ts';
import { median } from './measure.ts';
import { SIGN_INS } from './people.ts';

/** How often a boot is timed. */
const TIMES = 7;

/** Times from the start of a process to its first answer, in milliseconds: the median of {@link TIMES} on a migrated database. */
export async function warmBoot(url: string): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < TIMES; n++) times.push(await boot(url));
  return median(times);
}

/** The same for one boot on an empty database, and for eight at once on another. */
export async function coldBoots(): Promise<{ alone: number; eight: number }> {
  const alone = await onEmpty(boot);
  const eight = await onEmpty(async (url) =>
    Math.max(...(await Promise.all(Array.from({ length: 8 }, () => boot(url))))),
  );
  return { alone, eight };
}

async function onEmpty<T>(work: (url: string) => Promise<T>): Promise<T> {
  const database = await startDatabase();
  try {
    return await work(database.url);
  } finally {
    await database.remove();
  }
}

async function boot(url: string): Promise<number> {
  const headers = await SIGN_INS.hs256('root@example.com');
  const began = performance.now();
  const server = startServer(
    {
      ENVIRONMENT: 'production',
      HOST: '127.0.0.1',
      INITIAL_ADMINS: 'root@example.com',
      DATABASE_URL: url,
    },
    'dist/server.js',
  );
  const answer = await fetch(`${await server.ready()}/v1/me`, { headers });
  const ms = performance.now() - began;
  if (answer.status !== 200) throw new Error(`The first answer of a boot was ${answer.status}.`);
  await server.end('SIGTERM');
  return ms;
}
