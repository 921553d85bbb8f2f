import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { until } from './until.ts';

/** A program that runs, with what it has printed: in plain text, for many print colours where `CI` is set. */
export interface StartedProgram {
  readonly lines: readonly string[];
  /**
   * Resolves with the first line, past or future, that matches. Rejects with all lines where the program ends before, or has not said
   * it after `ms` milliseconds, a minute if left out.
   */
  said(pattern: RegExp, ms?: number): Promise<RegExpExecArray>;
  /** Resolves with its exit code once it ends by itself. */
  ended(): Promise<number | null>;
  /** Ends it and all that it has started, and resolves with its exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Programs that a suite has started. */
export class StartedPrograms {
  readonly #running = new Set<ChildProcess>();

  /** Starts a program, in a process group as a terminal does. */
  start(
    program: string,
    args: readonly string[],
    options: Pick<SpawnOptions, 'cwd' | 'env'>,
  ): StartedProgram {
    const child = spawn(program, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#running.add(child);
    const lines: string[] = [];
    for (const output of [child.stdout, child.stderr])
      createInterface(output).on('line', (line) => lines.push(stripVTControlCharacters(line)));
    const closed = once(child, 'close').then(() => this.#running.delete(child));
    const name = [program, ...args].join(' ');
    return {
      lines,
      said: (pattern, ms = 60_000) =>
        until(
          `${name} says ${pattern}`,
          () => {
            const match = lines.map((line) => pattern.exec(line)).find((found) => found !== null);
            if (match === undefined && child.exitCode !== null) throw new Error(`${name} has ended.`);
            return match;
          },
          ms,
        ).catch((error: Error) => {
          throw new Error(`${error.message}\n${lines.join('\n')}`);
        }),
      async ended() {
        await closed;
        return child.exitCode;
      },
      async end(signal = 'SIGTERM') {
        endGroup(child, signal);
        await closed;
        return child.exitCode;
      },
    };
  }

  /** Ends all that still run, at once. */
  kill(): void {
    for (const child of this.#running) endGroup(child, 'SIGKILL');
  }
}

function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(pid as number), signal);
  } catch {
    // The group has ended.
  }
}
