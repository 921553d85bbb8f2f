import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { oneOf } from '../random.ts';
import type { Fault } from './index.ts';

/** Where Debian's package `faketime` puts its library, for each kind of processor. */
const LIBRARIES = ['x86_64', 'aarch64'].map((kind) => `/usr/lib/${kind}-linux-gnu/faketime/libfaketime.so.1`);

const library = () => LIBRARIES.find((path) => existsSync(path));

/** By step, the clock's distance from the right time in seconds; and how long it stays so, in milliseconds. */
const STEPS = { '+2h': 7_200, '-2h': -7_200, '+5m': 300 };
const STEP_MS = 3_000;

/** How far the clock of a replica is from ours, by the `Date` of its answer, in seconds. */
async function distance(url: string): Promise<number> {
  const answer = await fetch(`${url}/healthz`);
  await answer.body?.cancel();
  return (Date.parse(answer.headers.get('date') ?? '') - Date.now()) / 1_000;
}

/** The clock of a replica is wrong, and jumps. */
export const clockStep: Fault = {
  name: 'clock-step',
  title: `the clock of one replica two hours ahead, two hours behind and five minutes ahead, for ${STEP_MS / 1_000} s each`,
  lacks: () => (library() ? undefined : "Debian's package faketime is not installed"),
  async inflict({ replicas, folder }, { random }) {
    const replica = oneOf(random, replicas);
    const file = join(folder, 'clock');
    await writeFile(file, '+0');
    await replica.stop();
    await replica.start({
      LD_PRELOAD: library(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      // Timers go by it, and nobody steps it.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    });
    for (const [step, seconds] of Object.entries(STEPS)) {
      await writeFile(file, step);
      await pause(STEP_MS);
      const found = await distance(replica.url);
      if (!(Math.abs(found - seconds) < 60))
        throw new Error(`The clock is ${found} s off in place of ${step}.`);
    }
    await replica.stop();
    await replica.start();
  },
};
