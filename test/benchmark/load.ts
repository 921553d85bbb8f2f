import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Requests of many people in turn. */
export interface Load {
  readonly method: string;
  readonly path: string;
  /** The headers of each person, without those of the body. */
  readonly people: readonly Readonly<Record<string, string>>[];
  /** Whether the load is invalid where somebody comes up twice. */
  readonly isOnce?: true;
  /** Over how many connections. Default: {@link CONNECTIONS}. */
  readonly connections?: number;
  /** A JSON text; `%d` becomes a number that rises. */
  readonly body?: string;
}

/** What a load generator has seen. Latencies in milliseconds. */
export interface Seen {
  readonly requests: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  /** Answers that were no success. */
  readonly refused: number;
  /** Requests without an answer. */
  readonly failed: number;
}

/** Puts a load on a server for some seconds, over its connections. */
export type LoadGenerator = (url: string, load: Load, seconds: number) => Promise<Seen>;

/** How many connections a load has. */
export const CONNECTIONS = 32;

/**
 * The load generator of this machine: wrk, or else autocannon in a process of its own, which takes more of the processor.
 * Not oha, which cannot send another token with each request.
 */
export const generator: { readonly name: string; readonly run: LoadGenerator } =
  spawnSync('wrk', ['--version']).error === undefined
    ? { name: 'wrk', run: wrk }
    : { name: 'autocannon in a process of its own (wrk is not installed)', run: autocannon };

async function wrk(url: string, load: Load, seconds: number): Promise<Seen> {
  const folder = await mkdtemp(join(tmpdir(), 'rollcall-load-'));
  try {
    const heads = join(folder, 'heads');
    await writeFile(heads, load.people.map((headers) => lines(headers).join('\\n')).join('\n'));
    const { stdout } = await promisify(execFile)('wrk', [
      ...['-t1', `-c${load.connections ?? CONNECTIONS}`, `-d${seconds}s`, '--timeout', '10s'],
      ...['-s', join(import.meta.dirname, 'wrk.lua'), url],
      ...['--', load.method, load.path, heads, ...(load.body === undefined ? [] : [load.body])],
    ]);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function autocannon(url: string, load: Load, seconds: number): Promise<Seen> {
  const child = promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, 'autocannon.ts'), url, `${seconds}`],
    { maxBuffer: 2 ** 20 },
  );
  child.child.stdin?.end(JSON.stringify(load));
  return JSON.parse((await child).stdout);
}

function lines(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}
