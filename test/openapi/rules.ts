import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { KNOWN_VALUES } from '../../src/http/schemas/open-list.ts';
import { describedEndpoints } from '../support/endpoints.ts';
import { installTools, npmTool, oasdiff, pythonTool, runTool, workFolder } from '../support/openapi-tools.ts';

const RELEASED = join(import.meta.dirname, 'released.json');

describe('the OpenAPI document', () => {
  let cwd: string;

  before(async function () {
    this.timeout(300_000);
    await installTools();
    cwd = await workFolder('rules');
    await writeFile(join(cwd, 'openapi.json'), JSON.stringify(openApiDocument(describedEndpoints())));
    await cp(join(import.meta.dirname, 'redocly.yaml'), join(cwd, 'redocly.yaml'));
    await cp(join(import.meta.dirname, 'redocly-ignored.yaml'), join(cwd, '.redocly.lint-ignore.yaml'));
    await cp(join(import.meta.dirname, 'spectral.yaml'), join(cwd, '.spectral.yaml'));
  });

  const check = async (program: string, ...args: string[]) => {
    const { code, output } = await runTool(program, args, { cwd });
    expect(code, output).to.equal(0);
    return output;
  };

  it("has no error and no warning by Redocly's recommended rules", async () => {
    const output = await check(
      npmTool('redocly'),
      'lint',
      'openapi.json',
      '--format=json',
      '--max-problems=1000',
    );
    const { totals } = JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1));
    expect(totals, output).to.deep.equal({ errors: 0, warnings: 0, ignored: 6 });
  });

  it("has no error and no warning by Spectral's recommended rules", async () => {
    await check(npmTool('spectral'), 'lint', 'openapi.json', '--fail-severity=warn');
  });

  it('is valid by openapi-spec-validator', async () => {
    await check(pythonTool('openapi-spec-validator'), 'openapi.json');
  });

  it('breaks no client of the last release', async () => {
    await check(oasdiff, 'breaking', '--fail-on', 'ERR', RELEASED, 'openapi.json');
  });

  it('breaks no client by another value of an open list', async () => {
    const document = JSON.parse(await readFile(RELEASED, 'utf8'));
    const { Problem, ServiceToken, SkippedChange } = document.components.schemas;
    for (const list of [
      Problem.properties.code,
      SkippedChange.properties.reason,
      ServiceToken.properties.scopes.items,
    ])
      list[KNOWN_VALUES].push('another');
    await writeFile(join(cwd, 'grown.json'), JSON.stringify(document));
    await check(oasdiff, 'breaking', '--fail-on', 'WARN', RELEASED, 'grown.json');
  });

  it('would be found to break clients, by what they can no longer send or read', async () => {
    const released = JSON.parse(await readFile(RELEASED, 'utf8'));
    const breaking: Record<string, (document: typeof released) => void> = {
      'an operation is gone': (document) => delete document.paths['/v1/me'].patch,
      'a parameter must be given': (document) => {
        document.paths['/v1/users'].get.parameters[0].required = true;
      },
      'a field of an answer is gone': ({ components: { schemas } }) => {
        delete schemas.Account.properties.email;
        schemas.Account.required = schemas.Account.required.filter((name: string) => name !== 'email');
      },
      'an answer has another value': ({ components: { schemas } }) => schemas.Action.enum.push('merged'),
      'a field of a body must be given': ({ components: { schemas } }) => {
        schemas.NewAccount.required.push('name');
      },
    };
    for (const [name, change] of Object.entries(breaking)) {
      const document = structuredClone(released);
      change(document);
      await writeFile(join(cwd, 'breaking.json'), JSON.stringify(document));
      const args = ['breaking', '--fail-on', 'ERR', RELEASED, 'breaking.json'];
      const { code, output } = await runTool(oasdiff, args, { cwd });
      expect(code, `${name}: ${output}`).to.equal(1);
    }
  });
});
