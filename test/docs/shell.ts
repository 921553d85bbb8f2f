import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** What some commands have printed, on both outputs, and whether one of them has failed. */
export interface Printed {
  readonly output: string;
  readonly isFailed: boolean;
}

/** How long some commands may take. */
const PATIENCE_MS = 90_000;

/** Ends what a block has printed; no command prints it. */
const END = '\x1e';

// One shell for all blocks, which come over a pipe of their own: a command finds nothing on its standard input. With job
// control, as in a terminal, so that `kill %npm` ends a job as a whole.
const DRIVER = `
exec 2>&1
set -m
trap 'failed=1' ERR
while IFS= read -r -d '' commands <&3; do
  failed=0
  eval "$commands" 3<&- </dev/null
  printf '${END}%s${END}' "$failed"
done
end_jobs() { for job in $jobs; do kill -s "$1" -- "-$job" 2>/dev/null; done; }
jobs=$(jobs -p)
end_jobs TERM
{ sleep 20; end_jobs KILL; } &
watchdog=$!
for job in $jobs; do wait "$job" 2>/dev/null; done
kill -- "-$watchdog"`;

/** What an interactive shell reports about its jobs. */
const JOB_NOTICE = /^(?:\[\d+\][+-]? .*|\(wd now: .*\))\n?/gm;

/** A bash that runs blocks of commands one after the other, as somebody does who pastes them into a terminal. */
export class Shell {
  readonly #child: ChildProcess;
  readonly #stdout: Readable;
  #output = '';
  #isBusy = false;
  #wake: () => void = () => undefined;

  constructor(options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    this.#child = spawn('bash', ['--noprofile', '--norc', '-c', DRIVER], {
      ...options,
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    });
    this.#stdout = this.#child.stdout as Readable;
    this.#stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#wake();
    });
    this.#stdout.on('close', () => this.#wake());
  }

  /**
   * Runs some commands and returns what they printed.
   * @throws Error with what they have printed so far when they take too long, and when they end the shell.
   */
  async run(commands: string): Promise<Printed> {
    (this.#child.stdio[3] as Writable).write(`${commands}\0`);
    this.#isBusy = true;
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const [output = '', failed, rest] = this.#output.split(END);
      if (rest !== undefined) {
        this.#output = rest;
        this.#isBusy = false;
        return { output: output.replace(JOB_NOTICE, ''), isFailed: failed !== '0' };
      }
      const problem = this.#stdout.closed ? 'ended the shell' : Date.now() > deadline ? 'take too long' : '';
      if (problem !== '') throw new Error(`These commands ${problem}:\n${commands}\n\n${output}`);
      await this.#news(deadline - Date.now());
    }
  }

  /** Ends it, with all that it has started, and waits for them. */
  async close(): Promise<void> {
    (this.#child.stdio[3] as Writable).end();
    // A command that still runs in the foreground.
    if (this.#isBusy) spawnSync('pkill', ['-P', `${this.#child.pid}`]);
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  #news(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs + 1);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
