import { startServer } from '../support/server-process.ts';
import type { Build } from './contenders.ts';
import { startDatabase } from './database.ts';
import { median } from './measure.ts';
import { SIGN_INS } from './people.ts';

/** How often a boot is timed. */
const TIMES = 7;

/** Milliseconds from the start of a process of a build to its first answer. */
export interface Boots {
  readonly contender: string;
  /** On a prepared database: the median of {@link TIMES}. */
  readonly warm: number;
  /** On an empty database, and until the last of eight answers that start at once on another. */
  readonly alone: number;
  readonly eight: number;
}

/** Times the boots of some builds, in turns. `url` is the prepared database. */
export async function boots(url: string, builds: readonly Build[]): Promise<Boots[]> {
  const warm = new Map<Build, number[]>(builds.map((build) => [build, []]));
  for (let n = 0; n < TIMES; n++) for (const build of builds) warm.get(build)?.push(await boot(url, build));
  const found: Boots[] = [];
  for (const build of builds) {
    const alone = await onEmpty((empty) => boot(empty, build));
    const eight = await onEmpty((empty) => Promise.all(Array.from({ length: 8 }, () => boot(empty, build))));
    found.push({
      contender: build.name,
      warm: median(warm.get(build) ?? []),
      alone,
      eight: Math.max(...eight),
    });
  }
  return found;
}

async function onEmpty<T>(work: (url: string) => Promise<T>): Promise<T> {
  const database = await startDatabase();
  try {
    return await work(database.url);
  } finally {
    await database.remove();
  }
}

async function boot(url: string, { entry }: Build): Promise<number> {
  const headers = await SIGN_INS.hs256('root@example.com');
  const began = performance.now();
  const server = startServer(
    {
      ENVIRONMENT: 'production',
      HOST: '127.0.0.1',
      INITIAL_ADMINS: 'root@example.com',
      DATABASE_URL: url,
    },
    entry,
  );
  const answer = await fetch(`${await server.ready()}/v1/me`, { headers });
  const ms = performance.now() - began;
  if (answer.status !== 200) throw new Error(`The first answer of a boot was ${answer.status}.`);
  await server.end('SIGTERM');
  return ms;
}
