import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/**
 * What a process that we spawn is given as environment:
 * nothing of ours, no locale, no time zone of the machine's.
 */
export const BARE_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' } as const;

/** Whether a process with this id exists, a zombie included, whoever owns it. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * The arguments of a process, joined by spaces; '' when there is none, or only its zombie.
 *
 * Of all that could tell one process from another this is what everyone may read: /proc/<pid>/cwd and exe of
 * another account are closed to root itself in a container (no CAP_SYS_PTRACE).
 */
export async function commandLine(pid: number): Promise<string> {
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
