import { Writable } from 'node:stream';
import { expect } from 'chai';
import { createLog } from '../src/log.ts';
import { createMigratedDatabase } from './support/database.ts';
import { startServer } from './support/server-process.ts';

/** Texts that would begin a line, or steer a terminal, or hide a part of a line. */
const EVIL = 'a\nb\r\u001b[2Jc\u0085d\u009b31me\u2028f\u202eg\u200b"\\nh';

const UNSAFE = /[^\P{Cc}\n]|[\u2028-\u202e\u200b]/u;

/** What pino-pretty colours with. */
const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

describe('the log', () => {
  const written = async (
    logFormat: 'json' | 'pretty',
    write: (log: Awaited<ReturnType<typeof createLog>>) => void,
  ) => {
    let text = '';
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        text += chunk;
        done();
      },
    });
    write(await createLog({ logLevel: 'info', logFormat }, sink));
    return text;
  };

  it('as JSON has one line for each, whatever is in it, and says the same', async () => {
    const text = await written('json', (log) => {
      log.warn({ reason: EVIL, err: new Error(EVIL) }, EVIL);
      log.child({ requestId: EVIL }).info({ [EVIL]: 1 }, 'after');
    });
    const lines = text.trimEnd().split('\n');
    expect(lines).to.have.length(2);
    expect(text.replaceAll('\n', '')).not.to.match(UNSAFE);
    const [first = {}, second] = lines.map((line) => JSON.parse(line));
    expect(first).to.include({ reason: EVIL, msg: EVIL });
    expect(first.err.message).to.equal(EVIL);
    expect(second).to.include({ requestId: EVIL, msg: 'after' });
  });

  it('for people has one line for each and the indented stack of an error, whatever is in it', async () => {
    const text = await written('pretty', (log) => {
      log.warn({ reason: EVIL }, EVIL);
      log.child({ requestId: EVIL }).error({ err: new Error(EVIL) }, 'after');
    });
    const plain = text.replace(COLOURS, '');
    expect(plain.replaceAll('\n', '')).not.to.match(UNSAFE);
    const [first = '', second = '', ...stack] = plain.trimEnd().split('\n');
    expect(first).to.match(/^\[[\d:]+\] WARN: a\\nb\\r\\u001b\[2J/);
    expect(second).to.match(/^\[[\d:]+\] ERROR: after/);
    expect(stack.length).to.be.above(2);
    for (const line of stack) expect(line).to.match(/^ {4}/);
    expect(plain).to.match(/^ +at .*log\.test\.ts/m);
  });

  it('never has the credentials of a request', async () => {
    const text = await written('json', (log) => {
      const headers = { authorization: 'secret-1', cookie: 'secret-2' };
      log.warn({ request: { headers }, headers }, 'x');
    });
    expect(text).not.to.include('secret-');
    expect(JSON.parse(text)).to.deep.include({
      headers: { authorization: '[Redacted]', cookie: '[Redacted]' },
    });
  });

  for (const [environment, format, expected] of [
    ['test', undefined, /^{.*"msg":"ready"/m],
    ['test', 'pretty', /^\[[\d:]+\] INFO: ready/m],
    ['development', undefined, /^\[[\d:]+\] INFO: ready/m],
    ['development', 'json', /^{.*"msg":"ready"/m],
  ] as const) {
    it(`of a server in ${environment} has the form of LOG_FORMAT=${format ?? ''}`, async () => {
      const database = await createMigratedDatabase();
      const server = startServer({
        ENVIRONMENT: environment,
        DATABASE_URL: database.url,
        NO_COLOR: '1',
        ...(format && { LOG_FORMAT: format }),
      });
      const all = () => [...server.output, ...server.lines.map((line) => JSON.stringify(line))].join('\n');
      try {
        const began = Date.now();
        while (!expected.test(all()) && Date.now() - began < 30_000)
          await new Promise((done) => setTimeout(done, 20));
        expect(all()).to.match(expected);
        expect(await server.end('SIGTERM')).to.equal(0);
      } finally {
        server.child.kill('SIGKILL');
        await database.drop();
      }
    });
  }
});
