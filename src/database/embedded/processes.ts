import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** The environment of spawned processes: none of our variables, and not the machine's locale or time zone. */
export const BARE_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' } as const;

/** Whether a process with this id exists, whoever owns it. Includes zombies. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Reads the arguments of a process, joined by spaces; '' if there is no such process, or only its zombie.
 *
 * Of all data that identifies a process, only this is always readable: in a container (no CAP_SYS_PTRACE), even root
 * cannot read /proc/<pid>/cwd and exe of another user's process.
 */
export async function readCommandLine(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') {
      return (await readFile(`/proc/${pid}/cmdline`, 'latin1')).replaceAll('\0', ' ');
    }
    const { stdout } = await promisify(execFile)('/bin/ps', ['-ww', '-o', 'command=', '-p', String(pid)]);
    return stdout.trim();
  } catch {
    return '';
  }
}
