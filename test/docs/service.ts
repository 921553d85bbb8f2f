import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Checkout } from './checkout.ts';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Starts the service in a checkout, as `npm start` does, and returns how to end it.
 * @throws Error with all that it has printed when it ends before it is ready.
 */
export async function startService({ folder, env }: Checkout): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, ['src/server.ts'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const closed = once(child, 'close').then(() => running.delete(child));
  await new Promise<void>((resolve, reject) => {
    let output = '';
    const read = (text: string) => {
      output += text;
      if (output.includes('Rollcall answers at')) resolve();
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    closed.then(() => reject(new Error(`The service has not started:\n${output}`)));
  });
  return async () => {
    child.kill('SIGTERM');
    await closed;
  };
}
