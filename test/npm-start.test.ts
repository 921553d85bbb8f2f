import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { SECRET } from './support/app.ts';
import { createMigratedDatabase, type TestDatabase } from './support/database.ts';
import { programEnvironment } from './support/programs.ts';
import type { LogLine } from './support/server-process.ts';
import { until } from './support/until.ts';

describe('npm start', function () {
  this.timeout(120_000);

  let database: TestDatabase;
  let npm: ChildProcess;
  let lines: LogLine[];

  beforeEach(async () => {
    database = await createMigratedDatabase();
    lines = [];
    // In a process group of its own, as a terminal starts it.
    npm = spawn('npm', ['start'], {
      cwd: join(import.meta.dirname, '..'),
      detached: true,
      env: {
        ...programEnvironment(),
        HOME: process.env['HOME'],
        ENVIRONMENT: 'test',
        PORT: '0',
        AUTH_SECRET: SECRET,
        DATABASE_URL: database.url,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface(npm.stdout as NodeJS.ReadableStream).on('line', (line) => {
      if (line.startsWith('{')) lines.push(JSON.parse(line));
    });
    await until('ready', () => lines.some(({ msg }) => msg === 'ready'), 60_000);
  });

  afterEach(async () => {
    try {
      process.kill(-(npm.pid as number), 'SIGKILL');
    } catch {
      // The group has ended.
    }
    await database.drop();
  });

  const ways: [what: string, stop: (npm: number) => void][] = [
    ['npm alone is told to stop, as by a process manager', (npm) => process.kill(npm, 'SIGTERM')],
    ['all processes are told at once, as by Ctrl+C', (npm) => process.kill(-npm, 'SIGINT')],
  ];
  for (const [what, stop] of ways) {
    it(`drains, and leaves no process, when ${what}`, async () => {
      // The pipe closes with the last process that holds it.
      const closed = once(npm, 'close');
      stop(npm.pid as number);
      await closed;
      const said = lines.map(({ msg }) => msg);
      expect(said.slice(said.indexOf('ready') + 1)).to.deep.equal(['stopping', 'stopped']);
      expect(() => process.kill(-(npm.pid as number), 0)).to.throw('ESRCH');
    });
  }
});
