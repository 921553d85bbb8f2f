import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { CLIENT } from '../../src/http/typescript/client-files.ts';
import { declarationsOf } from '../../src/http/typescript/declarations.ts';
import { operationsOf, operationsTable } from '../../src/http/typescript/operations.ts';
import { describedEndpoints } from '../support/endpoints.ts';

const ROOT = join(import.meta.dirname, '../..');
const COMPILER = join(ROOT, 'node_modules/typescript/bin/tsc');

/** Compares types in all their depth, so that no optional member can be missing on one side. */
const COMPARISON = `
import type { OperationsOf } from '${CLIENT}/typed-operations.ts';
import type * as Records from '${CLIENT}/routes.ts';
import type * as Written from './written.ts';

type Deep<T> = T extends (...args: infer Args) => infer Result
  ? { args: Args; result: Result }
  : T extends Date | Response
    ? T
    : T extends object
      ? { [K in keyof T]-?: Deep<Exclude<T[K], undefined>> | (undefined extends T[K] ? 'optional' : never) }
      : T;
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : 'the records are narrower') : 'the records are wider';

/** A query as it is sent: texts. */
type Text<Value> = Value extends boolean | number | Date ? never : Value;
type Sent<Route> = {
  [Part in keyof Route]: Part extends 'query' ? { [Name in keyof Route[Part]]: Text<Route[Part][Name]> } : Route[Part];
};

type Compared = {
  [Name in keyof Records.Routes | keyof Written.Routes]: Name extends keyof Records.Routes
    ? Name extends keyof Written.Routes
      ? Same<Deep<Sent<Records.Routes[Name]>>, Deep<Sent<Written.Routes[Name]>>>
      : 'not written'
    : 'not in the records';
};
declare const compared: Compared;
export const routes: { [Name in keyof Compared]: true } = compared;
export const codes: Same<Records.RefusalCode, Written.RefusalCode> = true;
export const problems: Same<Deep<Records.ProblemDetails>, Deep<Written.ProblemDetails>> = true;

type Named = OperationsOf<Written.Routes>;
type ComparedNames<A, B> = {
  [Name in keyof A | keyof B]: Name extends keyof A & keyof B
    ? A[Name] extends (...args: never) => unknown
      ? Same<Deep<A[Name]>, Deep<B[Name]>>
      : ComparedNames<A[Name], B[Name]>
    : 'missing';
};
type AllTrue<T> = { [K in keyof T]: T[K] extends string | boolean ? true : AllTrue<T[K]> };
declare const named: ComparedNames<Named, Written.Operations>;
export const operations: AllTrue<ComparedNames<Named, Written.Operations>> = named;
`;

/** Uses that a compiler must refuse; each line below such a comment. */
const MISUSE = `
import type { Routes } from './written.ts';
declare const routes: Routes;
// @ts-expect-error
export const wrong: string = routes['GET /v1/me'].answer.version;
// @ts-expect-error
export const unknown = routes['GET /v1/nothing'];
`;

describe('the types of the client', function () {
  this.timeout(120_000);
  const endpoints = describedEndpoints();

  it('have a name for each endpoint, in the table that its code has', async () => {
    const table = operationsTable(operationsOf(endpoints));
    const written = await readFile(join(CLIENT, 'operations.ts'), 'utf8');
    expect(written, 'run: node src/http/typescript/print.ts > src/client/operations.ts').to.equal(table);
  });

  it('are, written out for the package, those of the endpoint records in both directions', async () => {
    const written = declarationsOf(endpoints).replaceAll("'./", `'${CLIENT}/`);
    expect(await compile({ 'written.ts': written, 'compared.ts': COMPARISON, 'misuse.ts': MISUSE })).to.equal(
      '',
    );
  });

  it('are told apart where they differ', async () => {
    const written = declarationsOf(endpoints).replaceAll("'./", `'${CLIENT}/`);
    const differs = written
      .replace('lastSeenAt: string | null;', 'lastSeenAt: string;')
      .replace(/.*readonly undo: .*\n/, '');
    const said = await compile({ 'written.ts': differs, 'compared.ts': COMPARISON });
    expect(said).to.include('the records are wider').and.to.include('history.undo');
  });
});

/** What the compiler says about these files; nothing where all is well. */
async function compile(files: Readonly<Record<string, string>>): Promise<string> {
  const cache = join(ROOT, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'client-types-test-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        composite: false,
        rootDir: ROOT,
        noEmit: true,
        emitDeclarationOnly: false,
      },
      include: ['*.ts'],
      files: [],
      exclude: [],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    return await promisify(execFile)(process.execPath, [COMPILER, '-p', folder]).then(
      ({ stdout }) => stdout,
      (error) => error.stdout || error.message,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
