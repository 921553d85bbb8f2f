import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, dirname, extname, join } from 'node:path';
import { ROOT } from './packed.ts';

/** How a build has ended. */
export interface Built {
  readonly isRefused: boolean;
  readonly output: string;
}

/** Builds the site of a repository with `npm run site` into a folder, under a base path. */
export function buildSite(folder: string, { base = '/', root = ROOT } = {}): Promise<Built> {
  const env = {
    ...process.env,
    PATH: dirname(process.execPath) + delimiter + process.env['PATH'],
    BASE: base,
    OUT: folder,
  };
  return new Promise((resolve) => {
    execFile('npm', ['run', 'site'], { cwd: root, env, timeout: 170_000 }, (error, stdout, stderr) =>
      resolve({ isRefused: error !== null, output: stdout + stderr }),
    );
  });
}

/** The types of a site's files. */
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
};

/** A folder that is served. */
export interface StaticHost {
  /** Its origin and the base path, without a slash at the end. */
  readonly url: string;
  close(): void;
}

/** Serves a folder as static hosts do: a file for each path, `index.html` for a folder, and nothing else. */
export async function serveFolder(folder: string, base = '/'): Promise<StaticHost> {
  const server = createServer(async ({ url = '' }, response) => {
    const path = decodeURI(new URL(url, 'http://host').pathname);
    const name = path.startsWith(base) ? path.slice(base.length).replace(/(?:^|\/)$/, '$&index.html') : '';
    const body = await readFile(join(folder, name)).catch(() => undefined);
    const type = TYPES[extname(name)] ?? 'application/octet-stream';
    response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': body ? type : 'text/plain' });
    response.end(body ?? 'Not found');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${base.replace(/\/$/, '')}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
