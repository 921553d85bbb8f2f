import { join } from 'node:path';
import { expect } from 'chai';
import { loadSettings, SettingsError } from '../../config/settings.ts';
import { EXAMPLE_SECRET } from '../../config/webhooks.ts';
import { folderFor, print, row } from './run.ts';

const SECRET = `whsec_${Buffer.from('only-for-tests-hunter2-hunter2').toString('base64')}`;
const URL_ = 'https://crm.example.com/rollcall';
const PRODUCTION = {
  ENVIRONMENT: 'production',
  DATABASE_URL: 'postgres://db/app',
  AUTH_SECRET: 'only-for-tests-0123456789-abcdefghij',
};

describe('WEBHOOKS', function () {
  const folder = folderFor(this, { 'hooks.json': JSON.stringify([{ url: URL_, secret: SECRET }]) });

  const hooksOf = (entries: unknown, env: NodeJS.ProcessEnv = {}) =>
    loadSettings({ WEBHOOKS: JSON.stringify(entries), ...env }).webhooks.hooks;
  /** The only problem; checks that it reveals no secret. */
  const problemOf = (entries: unknown, env: NodeJS.ProcessEnv = {}) => {
    const text = typeof entries === 'string' ? entries : JSON.stringify(entries);
    try {
      loadSettings({ WEBHOOKS: text, ...env });
    } catch (error) {
      expect(error).to.be.instanceOf(SettingsError);
      const { problems, message } = error as SettingsError;
      expect(problems).to.have.length(1);
      expect(message).not.to.match(/hunter2|whsec_\w|\n/);
      return message;
    }
    return undefined;
  };
  const good = { url: URL_, secret: SECRET };

  it('have a name, a URL, secrets, actions and fields', () => {
    const other = `whsec_${Buffer.alloc(64, 7).toString('base64')}`;
    expect(
      hooksOf([
        { ...good, name: 'crm', actions: ['created', 'deleted'], fields: ['role', 'preferences.theme'] },
        { url: 'https://xn--bcher-kva.example:8443/?token=1', secret: [SECRET, other] },
        { url: 'http://[::1]:9000/', secret: SECRET },
      ]),
    ).to.deep.equal([
      {
        name: 'crm',
        url: URL_,
        secrets: [SECRET],
        actions: ['created', 'deleted'],
        fields: ['role', 'preferences.theme'],
      },
      {
        name: 'xn--bcher-kva.example-8443',
        url: 'https://xn--bcher-kva.example:8443/?token=1',
        secrets: [SECRET, other],
        actions: null,
        fields: null,
      },
      { name: '1-9000', url: 'http://[::1]:9000/', secrets: [SECRET], actions: null, fields: null },
    ]);
    expect(hooksOf([])).to.deep.equal([]);
  });

  it('may come from a file', () => {
    const path = join(folder, 'hooks.json');
    expect(loadSettings({ WEBHOOKS_FILE: path }).webhooks.hooks).to.have.length(1);
  });

  it('are printed by name', () => {
    const run = print(folder, { WEBHOOKS_FILE: 'hooks.json' });
    expect(row(run, 'WEBHOOKS')).to.equal('WEBHOOKS crm.example.com (file hooks.json)');
    expect(row(print(folder), 'WEBHOOKS')).to.equal('WEBHOOKS (none) (default)');
  });

  const shape = 'WEBHOOKS must be a JSON array of {url, secret, name?, actions?, fields?}';
  const name = 'must be 1 to 100 characters of a-z 0-9 . _ -, starting with a letter or digit';
  const url = 'must be an https URL without user or fragment';
  const secret = 'must be whsec_ followed by 24 to 64 bytes in base64';
  const field =
    'must be one of email, name, role, status, storageMode, preferences, roleUntil, or a path such as preferences.theme';
  const bytes = (length: number) => `whsec_${Buffer.alloc(length, 'hunter2').toString('base64')}`;
  const bad: [entries: unknown, problem: string][] = [
    ['hunter2', shape],
    [`[{"url":"${URL_}","secret":"${SECRET}"}`, shape],
    ['/etc/hooks.json', shape],
    [{ ...good }, `${shape}; it must be an array`],
    [[null], `${shape}; entry 1 must be an object`],
    [[good, []], `${shape}; entry 2 must be an object`],
    [[{ secret: SECRET }], `${shape}; entry 1: url must be text`],
    [[{ url: URL_ }], `${shape}; entry 1: secret must be an array`],
    [[{ ...good, sekret: SECRET, 'a\nb': 1 }], `${shape}; entry 1 has unknown properties ["sekret","a\\nb"]`],
    ...['crm.example.com', 'ftp://crm.example.com', 'https://', 'https://u:hunter2@crm.example.com/'].map(
      (bad): [unknown, string] => [[{ ...good, url: bad }], `${shape}; entry 1: url ${url}`],
    ),
    ...[
      'https://crm.example.com/#hunter2',
      'https://crm.example.com/a b',
      'https://crm.example.com:99999/',
    ].map((bad): [unknown, string] => [[{ ...good, url: bad }], `${shape}; entry 1: url ${url}`]),
    ...[
      '',
      'hunter2',
      bytes(23),
      bytes(65),
      `${SECRET} `,
      `${SECRET}=`,
      SECRET.slice(6),
      'whsec_h-_9'.padEnd(50, 'a'),
    ].map((bad): [unknown, string] => [[{ ...good, secret: bad }], `${shape}; entry 1: secret.0 ${secret}`]),
    [[{ ...good, secret: [] }], `${shape}; entry 1: secret must not be empty`],
    [[{ ...good, secret: [SECRET, bytes(1)] }], `${shape}; entry 1: secret.1 ${secret}`],
    ...['', 'CRM', '-crm', 'c/rm', 'é', 'a'.repeat(101)].map((bad): [unknown, string] => [
      [{ ...good, name: bad }],
      `${shape}; entry 1: name ${name}`,
    ]),
    [[{ ...good, name: 7 }], `${shape}; entry 1: name must be text`],
    [[{ ...good, actions: [] }], `${shape}; entry 1: actions must not be empty`],
    [[{ ...good, actions: 'created' }], `${shape}; entry 1: actions must be an array`],
    [
      [{ ...good, actions: ['made'] }],
      `${shape}; entry 1: actions.0 must be one of created, updated, deleted`,
    ],
    [[{ ...good, fields: [] }], `${shape}; entry 1: fields must not be empty`],
    ...[
      '',
      'roles',
      'storage_mode',
      'version',
      'preferences.',
      'preferences..a',
      `preferences.${'a'.repeat(255)}`,
    ].map((bad): [unknown, string] => [
      [{ ...good, fields: ['role', bad] }],
      `${shape}; entry 1: fields.1 ${field}`,
    ]),
    [
      [
        { ...good, name: 'crm', actions: [] },
        { url: 7, secret: SECRET },
      ],
      `${shape}; entry 1 (crm): actions must not be empty; entry 2: url must be text`,
    ],
    [
      [good, { ...good, url: 'https://crm.example.com/other' }],
      'WEBHOOKS must be valid webhooks: entry 2 (crm.example.com): name must be unique',
    ],
    [
      [good, { ...good, name: 'other', url: 'HTTPS://CRM.example.com:443/rollcall' }],
      'WEBHOOKS must be valid webhooks: entry 2 (other): url must be unique',
    ],
    [
      [{ ...good, url: `https://${`${'a'.repeat(60)}.`.repeat(2)}example` }],
      'WEBHOOKS must be valid webhooks: entry 1: name must be set, because the host of the url makes no valid one',
    ],
  ];
  for (const [entries, problem] of bad) {
    it(`refuse ${JSON.stringify(entries).slice(0, 120)}`, () => {
      expect(problemOf(entries)).to.equal(problem);
    });
  }

  it('require https in production unless private addresses are allowed', () => {
    const plain = [{ ...good, url: 'http://crm:8080/' }];
    expect(problemOf(plain, PRODUCTION)).to.equal(
      'WEBHOOKS must be valid webhooks: entry 1 (crm-8080): url must be https unless WEBHOOKS_ALLOW_PRIVATE is true',
    );
    expect(problemOf(plain, { ...PRODUCTION, WEBHOOKS_ALLOW_PRIVATE: 'false' })).to.be.a('string');
    expect(problemOf(plain, { ...PRODUCTION, WEBHOOKS_ALLOW_PRIVATE: 'true' })).to.equal(undefined);
    expect(problemOf(plain)).to.equal(undefined);
    expect(problemOf([good], PRODUCTION)).to.equal(undefined);
  });

  it('must not use the example secret in production', () => {
    const example = [{ url: URL_, secret: [SECRET, EXAMPLE_SECRET] }];
    expect(problemOf(example, PRODUCTION)).to.equal(
      'WEBHOOKS must be valid webhooks: entry 1 (crm.example.com): secret must not be the one from .env.example',
    );
    expect(problemOf(example)).to.equal(undefined);
  });

  it('have a problem with their file reported under WEBHOOKS_FILE', () => {
    expect(problemOf('', { WEBHOOKS_FILE: join(folder, 'nowhere.json') })).to.match(
      /^WEBHOOKS_FILE must name a readable text file: .*\(ENOENT\)$/,
    );
  });
});
