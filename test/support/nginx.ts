import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

/** An nginx on loopback. */
export interface Nginx {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts one that compresses every answer; `locations` are the rest of its `server` block. */
export async function startNginx(locations: string): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'rollcall-nginx-'));
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((closed) => probe.close(closed));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  const config = join(folder, 'nginx.conf');
  await writeFile(
    config,
    // One process, which keeps the account that starts it.
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
    events {}
    http {
      access_log off; ${temporary}
      gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;
      server { listen 127.0.0.1:${port}; ${locations} }
    }`,
  );
  const nginx = spawn('nginx', ['-e', 'stderr', '-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  nginx.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  let ended = false;
  nginx.on('error', ({ message }) => {
    ended = true;
    said += message;
  });
  nginx.on('exit', () => {
    ended = true;
  });
  const url = `http://127.0.0.1:${port}`;
  await until('nginx', () => {
    if (ended) throw new Error(`nginx does not run (Debian's package nginx has it): ${said}`);
    return fetch(url).then(
      () => true,
      () => false,
    );
  });
  return {
    url,
    async close() {
      if (!ended) {
        const exit = once(nginx, 'exit');
        nginx.kill('SIGKILL');
        await exit;
      }
      await rm(folder, { recursive: true });
    },
  };
}
