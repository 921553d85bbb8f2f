import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A small disk in memory, which can be filled. */
export interface Disk {
  readonly folder: string;
  /** Takes all that is left. */
  fill(): Promise<void>;
  /** Gives that back. */
  free(): Promise<void>;
  remove(): Promise<void>;
}

/** How much is written at once, in bytes. */
const CHUNK = 2 ** 20;

/** Mounts one below a folder. */
export async function mountDisk(parent: string, megabytes: number): Promise<Disk> {
  const folder = mkdtempSync(join(parent, 'disk-'));
  // Other accounts pass through to their own folders in it.
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0711`, 'rollcall-endurance', folder]);
  const unmount = () => void spawnSync('umount', ['--lazy', folder]);
  // Before the folder above is removed.
  process.prependListener('exit', unmount);
  const ballast = join(folder, 'ballast');
  const free = () => rm(ballast, { force: true });
  return {
    folder,
    free,
    async fill() {
      const file = await open(ballast, 'w');
      try {
        for (let size = CHUNK; size >= 1; size = Math.floor(size / 2))
          await fillWith(file, Buffer.alloc(size));
      } finally {
        await file.close();
      }
    },
    async remove() {
      process.removeListener('exit', unmount);
      unmount();
      rmdirSync(folder);
    },
  };
}

async function fillWith(file: Awaited<ReturnType<typeof open>>, chunk: Buffer): Promise<void> {
  try {
    for (;;) await file.write(chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

let isPossible: boolean | undefined;

/** Whether this process may mount one. */
export function canMount(): boolean {
  isPossible ??= process.platform === 'linux' && process.getuid?.() === 0 && tryToMount();
  return isPossible;
}

function tryToMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-mount-'));
  const isMounted =
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'rollcall-endurance', folder]).status === 0;
  if (isMounted) spawnSync('umount', [folder]);
  rmdirSync(folder);
  return isMounted;
}
