import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import Mocha from 'mocha';

const { EVENT_HOOK_END, EVENT_RUN_END, EVENT_SUITE_END, EVENT_TEST_FAIL, EVENT_TEST_END } =
  Mocha.Runner.constants;

/** The length of the list at the end. */
const SHOWN = 10;

/** The result of the suites in one file. */
interface Suite {
  tests: number;
  failures: number;
  /** The time of the tests and their hooks, without that of loading the file. */
  ms: number;
}

/**
 * The reporter of `npm test`: a line for each finished file, then the slowest files, the counts, and the failures in full. Writes
 * the names of the files with failures to the file that FAILED_FILES names. Works in mocha's parallel mode, where the events of a file come together when it is done.
 */
export default class SlowestSuites extends Mocha.reporters.Base {
  readonly #suites = new Map<string, Suite>();

  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    let current: string | undefined;
    const done = () => {
      if (current !== undefined) console.log(this.#line(current));
      current = undefined;
    };
    const record = ({ file, duration }: Mocha.Runnable): Suite => {
      const name = relative('', file ?? '');
      if (name !== current) done();
      current = name;
      const suite = this.#suites.get(name) ?? { tests: 0, failures: 0, ms: 0 };
      this.#suites.set(name, suite);
      suite.ms += duration ?? 0;
      return suite;
    };
    runner.on(EVENT_TEST_END, (test) => record(test).tests++);
    runner.on(EVENT_TEST_FAIL, (test) => record(test).failures++);
    // The root hooks of a worker belong to no file.
    runner.on(EVENT_HOOK_END, (hook) => hook.file && record(hook));
    runner.on(EVENT_SUITE_END, (suite) => suite.root && done());
    runner.once(EVENT_RUN_END, () => this.#end());
  }

  #line(name: string): string {
    const { tests, failures, ms } = this.#suites.get(name) as Suite;
    const mark =
      failures > 0 ? Mocha.reporters.Base.color('fail', '✗') : Mocha.reporters.Base.color('checkmark', '✔');
    return `${mark} ${seconds(ms)}  ${String(tests).padStart(4)}  ${name}`;
  }

  #end(): void {
    const slowest = [...this.#suites.entries()].sort(([, a], [, b]) => b.ms - a.ms).slice(0, SHOWN);
    console.log(`\nThe ${slowest.length} slowest suites, with their seconds and tests:`);
    for (const [name] of slowest) console.log(this.#line(name));
    this.epilogue();
    const failed = [...this.#suites].filter(([, { failures }]) => failures > 0).map(([name]) => name);
    const { FAILED_FILES: file } = process.env;
    if (file !== undefined && failed.length > 0)
      writeFileSync(file, failed.map((name) => `${name}\n`).join(''));
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(6)} s`;
}
