import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import packageJson from '../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '..');

describe('the changelog', function () {
  this.timeout(120_000);

  let folder: string;
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: folder,
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        GIT_AUTHOR_NAME: 'Ada',
        GIT_AUTHOR_EMAIL: 'ada@example.com',
        GIT_COMMITTER_NAME: 'Ada',
        GIT_COMMITTER_EMAIL: 'ada@example.com',
        GIT_COMMITTER_DATE: '2026-12-01T12:00:00Z',
      },
    });
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const commit = (subject: string, files: Readonly<Record<string, string>>) => {
    for (const [path, text] of Object.entries(files)) write(path, text);
    git('add', '.');
    git('commit', '--quiet', '--message', subject);
  };
  const release = (version: string) => write('package.json', JSON.stringify({ version }));
  const changelog = () => {
    execFileSync(process.execPath, [join(ROOT, 'changelog.ts')], { cwd: folder });
    return readFileSync(join(folder, 'CHANGELOG.md'), 'utf8');
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rollcall-changelog-'));
    git('init', '--quiet');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('has the words of the commits since the last release, by what they change, and keeps older versions', () => {
    commit('List accounts', { 'src/http/list.ts': '1\n2\n3\n', 'src/console/list.tsx': '1\n' });
    commit('Test the list', { 'test/list.test.ts': '1\n' });
    release('0.1.0');
    const first = changelog();
    expect(first.slice(first.indexOf('## '))).to.equal(
      '## 0.1.0 (2026-12-01)\n\n### The API\n\n- List accounts\n',
    );
    git('add', '.');
    git('commit', '--quiet', '--message', 'Release 0.1.0');
    git('tag', 'v0.1.0');

    commit('Show <b> in the *console*', { 'src/console/list.tsx': '2\n' });
    commit('Search it by name_part', { 'migrations/1.ts': '1\n' });
    release('0.2.0');
    const second = changelog();
    expect(second.slice(second.indexOf('## '))).to.equal(
      [
        '## 0.2.0 (2026-12-01)\n',
        '### The console\n',
        '- Show \\<b\\> in the \\*console\\*\n',
        '### The database\n',
        '- Search it by name\\_part\n',
        '## 0.1.0 (2026-12-01)\n',
        '### The API\n',
        '- List accounts\n',
      ].join('\n'),
    );
    // Once more, also after the tag.
    git('tag', 'v0.2.0');
    expect(changelog()).to.equal(second);
    release('0.10.0');
    git('tag', 'v0.9.0', 'HEAD^');
    expect(changelog()).to.match(
      /^## 0\.10\.0 \(2026-12-01\)\n\n### The database\n\n- Search it by name\\_part\n\n## 0\.2\.0/m,
    );
  });

  it('of this repository begins with its version', () => {
    const text = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
    expect(/^## (\S+) /m.exec(text)?.[1]).to.equal(packageJson.version);
  });
});
