import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { refusals } from '../../src/domain/refusals.ts';
import { ADVISED_CODES, adviceOn } from '../../src/http/middleware/advice.ts';
import { sourceWarnings } from '../../src/security/source-warnings.ts';
import { listedIssuer, sources } from '../support/app.ts';
import { ROOT } from './checkout.ts';
import { read } from './pages.ts';

/** A line of the log that is a warning or worse. */
interface Warning {
  readonly level: string;
  readonly message: string;
}

/** Calls whose messages are not in the call, by their last argument, with those messages. */
const COMPUTED: Readonly<Record<string, () => readonly string[]>> = {
  'adviceOn(problem.code)': () => [...ADVISED_CODES, 'another'].map(adviceOn),
  message: () =>
    sourceWarnings(
      sources({
        emailClaims: ['upn'],
        issuers: ['https://a.example.com', 'https://b.example.com/realms/main'].map((issuer) =>
          listedIssuer({ issuer, audience: ['account'] }),
        ),
      }),
    ).map(({ message }) => message),
  // A sentence for people, of any of the reasons not to start.
  'error.message': () => [],
};

/** The warnings that the sources write. */
function warningsOfSources(): Warning[] {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return files.flatMap((name) => {
    const text = readFileSync(join(ROOT, 'src', name), 'utf8');
    return [...text.matchAll(/\blog\.(warn|error|fatal)\(/g)].flatMap(({ 1: level = '', index, 0: call }) => {
      const last = lastArgument(text.slice(index + call.length));
      const [, literal] = /^'(.*)'$/.exec(last) ?? [];
      const messages = literal === undefined ? COMPUTED[last]?.() : [literal];
      if (messages === undefined) throw new Error(`src/${name}: this test does not know the message ${last}`);
      return messages.map((message) => ({ level, message }));
    });
  });
}

/** The last argument of a call, from the text after its opening parenthesis. */
function lastArgument(text: string): string {
  let depth = 0;
  let begin = 0;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (`'"\``.includes(char)) quote = char;
    else if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char) && depth-- === 0) return finish(text.slice(begin, at));
    else if (char === ',' && depth === 0 && text.slice(at + 1).trimStart()[0] !== ')') begin = at + 1;
  }
  throw new Error(`a call without an end: ${text.slice(0, 80)}`);
}

function finish(argument: string): string {
  return argument.trim().replace(/,$/, '');
}

describe('the table of warnings', () => {
  const rows = [
    ...read('docs/logs.md').matchAll(/^\| (warn|error|fatal) \| `(.+?)` \| (.+) \| (.+) \|$/gm),
  ].map(([, level = '', message = '', meaning = '', action = '']) => ({ level, message, meaning, action }));
  const keyOf = ({ level, message }: Warning) => `${level}: ${message}`;

  it('has every warning that the sources write, and no other', () => {
    expect([...new Set(rows.map(keyOf))].sort()).to.deep.equal(
      [...new Set(warningsOfSources().map(keyOf))].sort(),
    );
  });

  it('has each once, with what it means and what to do', () => {
    expect(new Set(rows.map(keyOf)).size).to.equal(rows.length);
    for (const { message, meaning, action } of rows) {
      expect(meaning, message).to.match(/^.{15,}\.$/);
      expect(action, message).to.match(/^.{8,}\.$/);
    }
  });

  it('is of messages that say what to do themselves', () => {
    for (const message of rows.map((row) => row.message))
      expect(message).to.match(/; .*\b(?:\w+)\b|^pino-pretty/);
  });

  it('has advice on every refusal that is no fault of the caller', () => {
    const codes = Object.values(refusals)
      // Overload is logged once, and not for each request.
      .filter(({ status, code }) => status > 500 && code !== 'overloaded')
      .map(({ code }) => code);
    expect([...new Set(codes)].sort()).to.deep.equal([...ADVISED_CODES].sort());
  });
});
