import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { signHs256 } from '../../src/security/hmac.ts';
import { accountsIn, addAccount } from '../support/accounts.ts';
import { SECRET, startApp, type TestApp } from '../support/app.ts';
import {
  GENERATOR_JAR,
  installTools,
  mustRun,
  npmTool,
  pythonTool,
  workFolder,
} from '../support/openapi-tools.ts';

const ADA = 'ada@example.com';

/** openapi-python-client takes files in media types that it is told to take as such; nothing is formatted afterwards. */
const FILE = 'application/octet-stream';
const PYTHON_CONFIG = {
  content_type_overrides: { 'application/x-ndjson': FILE, 'text/csv': FILE },
  post_hooks: [],
};

/** For TypeScript 5: the client and the program, with all checks on. */
const TYPESCRIPT_CONFIG = {
  compilerOptions: {
    target: 'es2022',
    lib: ['es2022', 'dom', 'dom.iterable'],
    module: 'esnext',
    moduleResolution: 'bundler',
    types: [],
    strict: true,
    outDir: 'out',
    rootDir: '.',
    skipLibCheck: true,
  },
  include: ['*.ts', 'client/**/*.ts'],
};

describe('clients generated from the OpenAPI document', () => {
  let app: TestApp;

  before(async function () {
    this.timeout(300_000);
    await installTools();
  });

  beforeEach(async () => {
    app = await startApp();
    await addAccount(app.database, ADA, { role: 'admin' });
  });

  afterEach(() => app.close());

  /** A folder with the document of the service, and a program that uses a client in it. */
  const prepare = async (program: string) => {
    const folder = await workFolder(program);
    await writeFile(join(folder, 'openapi.json'), await (await app.call('/openapi.json')).text());
    await cp(join(import.meta.dirname, 'programs', program), join(folder, program));
    return folder;
  };

  /** Compiles a program and its client into one file, and runs that with Node. */
  const runTypeScript = async (program: string, cwd: string) => {
    await writeFile(join(cwd, 'tsconfig.json'), JSON.stringify(TYPESCRIPT_CONFIG));
    await writeFile(
      join(cwd, 'node.d.ts'),
      'declare const process: { env: Record<string, string | undefined> };',
    );
    await mustRun(npmTool('tsc'), ['-p', '.', '--noEmit'], { cwd });
    const { build } = await import('esbuild');
    const bundle = {
      bundle: true,
      format: 'esm',
      platform: 'node',
      outfile: join(cwd, 'program.mjs'),
    } as const;
    await build({ ...bundle, absWorkingDir: cwd, entryPoints: [program] });
    return run(process.execPath, ['program.mjs'], cwd);
  };

  const run = async (command: string, args: string[], cwd: string) => {
    const env = { ROLLCALL_URL: app.url, ROLLCALL_TOKEN: await signHs256(SECRET, ADA, '1h') };
    return JSON.parse(await mustRun(command, args, { cwd, env }));
  };

  /** Without webhooks, of which typescript-fetch makes code that does not compile. */
  const generate = (generator: string, cwd: string, output: string) => {
    const parts = ['--global-property', 'apis,models,supportingFiles'];
    const options = ['-g', generator, '-i', 'openapi.json', '-o', output, ...parts];
    return mustRun('java', ['-jar', GENERATOR_JAR, 'generate', ...options], { cwd });
  };

  /** What every program does and prints: it lists, tries, creates, changes by `If-Match`, is refused, tries to undo, and imports. */
  const expectStory = async (said: unknown) => {
    expect(said).to.deep.equal({
      counted: 1,
      dryRun: ['created'],
      created: { email: 'grace@example.com', name: 'Grace', roleUntil: null },
      patched: { name: null, preferences: { theme: 'dark' }, version: 2 },
      stale: [412, 'precondition_failed'],
      undoTried: [['updated', true]],
      requestUndoTried: [1, 1],
      importTried: [0, 1],
      imported: [1, 1],
      emails: ['ada@example.com', 'alan@example.com', 'grace@example.com'],
    });
    expect(await accountsIn(app.database)).to.have.length(3);
  };

  it('work as types of openapi-typescript', async () => {
    const program = 'openapi-typescript.ts';
    const cwd = await prepare(program);
    await mustRun(npmTool('openapi-typescript'), ['openapi.json', '-o', 'client/schema.d.ts'], { cwd });
    await expectStory(await runTypeScript(program, cwd));
  });

  it("work as openapi-generator's typescript-fetch", async () => {
    const program = 'typescript-fetch.ts';
    const cwd = await prepare(program);
    await generate('typescript-fetch', cwd, 'client');
    await expectStory(await runTypeScript(program, cwd));
  });

  it('work as openapi-python-client, which passes over nothing', async () => {
    const program = 'openapi-python-client.py';
    const cwd = await prepare(program);
    await writeFile(join(cwd, 'config.json'), JSON.stringify(PYTHON_CONFIG));
    const options = [
      '--path',
      'openapi.json',
      '--meta',
      'none',
      '--output-path',
      'client',
      '--config',
      'config.json',
    ];
    const output = await mustRun(pythonTool('openapi-python-client'), ['generate', ...options], { cwd });
    expect(output).not.to.match(/warning|error/i);
    await expectStory(await run(pythonTool('python'), [program], cwd));
  });

  it("work as openapi-generator's python", async () => {
    const program = 'openapi-generator.py';
    const cwd = await prepare(program);
    await generate('python', cwd, '.');
    await expectStory(await run(pythonTool('python'), [program], cwd));
  });
});
