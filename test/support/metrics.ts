import { signHs256 } from '../../src/security/hmac.ts';
import { SECRET } from './app.ts';
import { type ServerProcess, startServer } from './server-process.ts';

/** What a scrape has found: the value of each series, by its name and labels as they are written. */
export interface Scrape {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
  /** The names in the lines of the type `TYPE`, in their order. */
  readonly names: readonly string[];
  /** The value of a series, or of the sum of those with these labels; `undefined` where there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

/** A process with a port for operators. */
export interface ObservedServer extends ServerProcess {
  /** Of the service, and of the port for operators. */
  readonly url: string;
  readonly operators: string;
  call(path: string, options?: RequestInit & { as?: string }): Promise<Response>;
  scrape(): Promise<Scrape>;
}

/** Starts a process with METRICS_PORT, on a free port. */
export async function startObserved(env: NodeJS.ProcessEnv, entry?: string): Promise<ObservedServer> {
  const server = startServer({ METRICS_PORT: '0', ...env }, entry);
  const url = await server.ready();
  const operators = (await server.said('serving metrics'))['address'] as string;
  return {
    ...server,
    url,
    operators,
    async call(path, { as, ...init } = {}) {
      const headers = new Headers(init.headers);
      if (as !== undefined) headers.set('Authorization', `Bearer ${await signHs256(SECRET, as, '1h')}`);
      return fetch(new URL(path, url), { ...init, headers });
    },
    scrape: () => scrape(operators),
  };
}

/** Scrapes a port for operators. */
export async function scrape(operators: string): Promise<Scrape> {
  const response = await fetch(`${operators}/metrics`);
  const text = await response.text();
  const samples = text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    return [
      { name, labels: Object.fromEntries(pairs.map(([, key, text]) => [key, text])), value: Number(value) },
    ];
  });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    text,
    names: [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name),
    value(name, labels = {}) {
      const found = samples.filter(
        (sample) =>
          sample.name === name && Object.entries(labels).every(([key, text]) => sample.labels[key] === text),
      );
      return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
    },
  };
}
