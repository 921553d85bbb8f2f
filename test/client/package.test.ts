import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { build, type Metafile } from 'esbuild';
import packageJson from '../../package.json' with { type: 'json' };
import { bundleClient, CLIENT_BUILD } from '../../src/http/typescript/client-files.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

/** The most that all of the core may weigh in an app, compressed, in bytes. */
const MAX_CORE_BYTES = 6 * 1024;

/** The most that the preferences add to an app, and the React hooks with them, in bytes. */
const MAX_PREFERENCES_BYTES = 4 * 1024;
const MAX_REACT_BYTES = 5 * 1024;

/** An app that uses the hooks. */
const REACT_APP = `
import { createElement, type ReactElement } from 'react';
import { createClient } from 'rollcall/client';
import { createPreferences } from 'rollcall/client/preferences';
import { RollcallProvider, useAccount, usePreferences } from 'rollcall/react';

interface Preferences {
  theme?: 'dark' | 'light';
  sidebar?: { width: number; open: boolean };
}

export function Me(): ReactElement {
  const { account, update } = useAccount();
  const [preferences, setPreferences] = usePreferences<Preferences>();
  const theme: 'dark' | 'light' | undefined = preferences.theme;
  setPreferences({ theme: null, sidebar: { width: 3 } });
  update({ name: 'Ada' });
  return createElement('p', null, account?.email, theme);
}

const client = createClient();
export const app = createElement(RollcallProvider, { client }, createElement(Me));

const preferences = createPreferences<Preferences>(client);
preferences.update((value) => ({ theme: value.theme === 'dark' ? 'light' : 'dark' }));
// @ts-expect-error: no such theme
preferences.update({ theme: 'blue' });
`;

/** An app that uses the client as a TypeScript project does, with all checks on, and none of our packages. */
const APP = `
import { createClient, isProblem, type Account, type Change } from 'rollcall/client';

const client = createClient({ baseUrl: 'https://accounts.example.com', token: async () => 'token' });

export async function use(): Promise<void> {
  for await (const account of client.users.list({ role: 'admin', limit: 50, createdSince: new Date() })) {
    const email: string = account.email;
    await client.users.update(account, (current) => ({ name: current.name ?? email }), { reason: 'why' });
  }
  const { items, total } = await client.users.list({ total: true });
  const first: Account | undefined = items[0];
  const count: number | undefined = total?.count;
  await client.me.preferences.update({ theme: 'dark' });
  const undone: Change = await client.history.undo(7);
  const { changes } = await client.dryRun.users.delete(undone.userId);
  const action: 'created' | 'updated' | 'deleted' | undefined = changes[0]?.action;
  const me = await client.call('GET /v1/users/:id', { params: { id: '1' } });
  const csv: Response = await client.users.export({ format: 'csv' });
  await client.users.import(await csv.blob(), { query: { mode: 'upsert', partial: true } });
  for await (const change of client.changes({ since: 'now' })) console.log(change.cursor, first, count, action, me.version);
}

export function tell(error: unknown): string {
  if (!isProblem(error)) throw error;
  switch (error.code) {
    case 'last_admin':
      return error.details.detail;
    case 'invalid_input':
      return error.details.errors?.map(({ path }) => path).join() ?? '';
    default:
      return error.code;
  }
}

// @ts-expect-error: no such role
client.users.list({ role: 'boss' });
// @ts-expect-error: no such endpoint
client.users.promote(1);
// @ts-expect-error: a list is read, and has no dry run
client.dryRun.users.list();
// @ts-expect-error: an email is needed
client.users.create({ name: 'Ada' });
// @ts-expect-error: no such code
isProblem(new Error(), 'no_such_code');
`;

describe('the client as a package', function () {
  this.timeout(120_000);

  let folder: string;
  let meta: Metafile;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rollcall-client-'));
    const package_ = join(folder, 'node_modules/rollcall');
    await mkdir(join(package_, 'dist'), { recursive: true });
    await bundleClient(join(package_, 'dist/client'));
    const { name, type, exports } = packageJson;
    await writeFile(join(package_, 'package.json'), JSON.stringify({ name, type, exports }));
    const built = await build({ ...CLIENT_BUILD, write: false, outdir: 'out', metafile: true });
    meta = built.metafile;
  });

  after(() => rm(folder, { recursive: true }));

  /** The size of what an app ships that has this line, in bytes. */
  const sizeOf = async (line: string) => {
    const { outputFiles } = await build({
      stdin: { contents: line, resolveDir: folder },
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      external: ['react'],
    });
    return gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length;
  };

  it('is small: all of the core, and less where an app needs less', async () => {
    const whole = await sizeOf(`export * from 'rollcall/client'`);
    expect(whole).to.be.within(2_000, MAX_CORE_BYTES);
    expect(await sizeOf(`export { createClient } from 'rollcall/client'`)).to.be.below(whole - 300);
    expect(await sizeOf(`export { verifyWebhook } from 'rollcall/client'`)).to.be.below(1_500);
    const preferences = await sizeOf(
      `export * from 'rollcall/client'; export * from 'rollcall/client/preferences'`,
    );
    expect(preferences - whole).to.be.below(MAX_PREFERENCES_BYTES);
    const react = await sizeOf(`export * from 'rollcall/client'; export * from 'rollcall/react'`);
    expect(react - whole).to.be.below(MAX_REACT_BYTES);
  });

  it('has no code of the server in it, and no package', () => {
    const inputs = Object.keys(meta.inputs);
    expect(inputs).to.include('client.ts');
    expect(inputs.filter((path) => !/^[\w-]+\.ts$/.test(path))).to.deep.equal([]);
  });

  it('is enough for a TypeScript project with all checks on, and nothing else installed', async () => {
    await check(APP);
    const declarations = await readFile(
      join(folder, 'node_modules/rollcall/dist/client/routes.d.ts'),
      'utf8',
    );
    expect(declarations).to.include('/** The number of its changes');
    expect(declarations).to.not.match(/\bany\b(?!thing)[;,)>]/);
  });

  it("has hooks that are enough with React's own types", async () => {
    await mkdir(join(folder, 'node_modules/@types'), { recursive: true });
    for (const name of ['@types/react', 'csstype', 'react']) {
      await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
    }
    await check(REACT_APP);
  });

  const check = async (app: string) => {
    await writeFile(join(folder, 'app.ts'), app);
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    const options = ['--strict', '--noEmit', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    for (const module of ['nodenext', 'esnext']) {
      const resolution = module === 'esnext' ? ['--moduleResolution', 'bundler'] : [];
      const args = [
        '--module',
        module,
        ...resolution,
        '--target',
        'es2022',
        '--lib',
        'es2022,dom',
        '--types',
        '',
      ];
      const checked = run(process.execPath, [compiler, ...options, ...args, 'app.ts'], { cwd: folder });
      expect(
        await checked.then(
          ({ stdout }) => stdout,
          (error) => error.stdout,
        ),
        module,
      ).to.equal('');
    }
  };
});
