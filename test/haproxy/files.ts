import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';

const CONFIG = join(import.meta.dirname, '../../config');

/** What a program prints, and its exit code. Throws where it is not there. */
function run(program: string, ...args: string[]): { status: number | null; said: string } {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error) throw new Error(`${program} does not run: install it.`, { cause: error });
  return { status, said: stdout + stderr };
}

describe('the files that operators copy', function () {
  this.timeout(120_000);

  for (const file of ['high-availability/haproxy.cfg', 'processes/haproxy.cfg']) {
    it(`${file}: HAProxy finds nothing wrong`, () => {
      const { status, said } = run('haproxy', '-c', '-f', join(CONFIG, file));
      expect(said).to.not.match(/WARNING|ALERT/);
      expect(status, said).to.equal(0);
    });
  }

  it('processes/rollcall@.service: systemd finds nothing wrong', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rollcall-unit-'));
    try {
      const unit = await readFile(join(CONFIG, 'processes/rollcall@.service'), 'utf8');
      const path = join(folder, 'rollcall@8001.service');
      // The programs of this machine: systemd looks for them.
      await writeFile(path, unit.replace(/=\/usr\/bin\/(node|curl) /g, `=${process.execPath} `));
      const { status, said } = run('systemd-analyze', 'verify', path);
      expect(said).to.equal('');
      expect(status).to.equal(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
