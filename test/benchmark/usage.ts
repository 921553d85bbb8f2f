import { readdir, readFile } from 'node:fs/promises';

/** The processor time of some processes so far, in microseconds. */
export type Clock = () => Promise<number>;

/** What `/proc` counts in: 100 ticks a second on every Linux (`man 5 proc`, `sysconf(_SC_CLK_TCK)`). */
const TICK_US = 10_000;

/** The processor time of one process with its threads. */
export function processClock(pid: number): Clock {
  return async () => {
    const { utime, stime } = await statOf(pid);
    return (utime + stime) * TICK_US;
  };
}

/** The processor time of a PostgreSQL server with its back ends, those that have ended too. */
export function serverClock(postmaster: number): Clock {
  return async () => {
    const own = await statOf(postmaster);
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const all = await Promise.all(pids.map((pid) => statOf(pid).catch(() => undefined)));
    const children = all.filter((stat) => stat?.parent === postmaster);
    const ticks = [own, ...children].reduce((sum, stat) => sum + (stat?.utime ?? 0) + (stat?.stime ?? 0), 0);
    return (ticks + own.ofEnded) * TICK_US;
  };
}

/** The resident memory of a process, in megabytes. */
export async function residentMb(pid: number): Promise<number> {
  const [, kb] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kb) / 1024;
}

async function statOf(pid: number) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name, in parentheses, may contain anything; after it come the state and the third field of `man 5 proc`, the parent.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [parent = 0, utime = 0, stime = 0, ofChildren = 0, ofChildrenInKernel = 0] = [
    fields[1],
    ...fields.slice(11, 15),
  ];
  return { parent, utime, stime, ofEnded: ofChildren + ofChildrenInKernel };
}
