import { expect } from 'chai';
import { loggable, loggablePath } from '../../src/http/request/loggable.ts';
import { forge } from '../support/tokens.ts';

describe('a text of a client in the log', () => {
  for (const text of [
    'curl/8.5.0',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
    'kube-probe/1.31',
    'GoogleBot/2.1 (+http://www.google.com/bot.html)',
    '{3f2c7c54-9e9d-4a8b-8e0f-5b6f1f0d6c3a}',
    'Root=1-67891233-abcdef012345678912345678;Sampled=1',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    'a-long-name-of-a-program-without-any-secret-in-it',
  ]) {
    it(`stays as it is: ${text}`, () => expect(loggable(text)).to.equal(text));
  }

  const masked: [text: string, expected: string][] = [
    ['Bearer abc', '[redacted]'],
    ['tool (basic dXNlcjpwYXNz)', 'tool ([redacted]'],
    [`app/1 ${forge()} x`, 'app/1 [redacted] x'],
    ['rc_0123456789abcdefghijABCDEFGHIJ', '[redacted]'],
    ['proxy http://user:pass@host/', 'proxy http://[redacted]@host/'],
    ['da39a3ee5e6b4b0d3255bfef95601890afd80709', '[redacted]'],
    ['key=Zm9vYmFyYmF6cXV4cXV1eDEyMzQ1', 'key=[redacted]'],
    ['two\nlines\r\x1b[2J\x85é', 'two?lines??[2J??'],
    ['x'.repeat(300), `${'x'.repeat(200)}...`],
    [`${'x '.repeat(95)}${forge()}`, `${'x '.repeat(95)}[redacted]`],
  ];
  for (const [text, expected] of masked) {
    it(`is masked or cut: ${JSON.stringify(text.slice(0, 60))}`, () =>
      expect(loggable(text)).to.equal(expected));
  }

  const paths: [path: string, expected: string][] = [
    ['/v1/users/7', '/v1/users/7'],
    ['/v1/service-tokens/billing', '/v1/service-tokens/billing'],
    ['/', '/'],
    ['/a%20b/%C3%A9', '/a%20b/%C3%A9'],
    ['/v1/me%3Ftoken=x', '/v1/me...'],
    ['/v1/me;jsessionid=1', '/v1/me...'],
    ['/v1/users/ada@example.com/history', '/v1/users/[redacted]/history'],
    ['/v1/users/ada%40example.com', '/v1/users/[redacted]'],
    ['//user:pass@host/x', '//[redacted]/x'],
  ];
  for (const [path, expected] of paths) {
    it(`of a path: ${path}`, () => expect(loggablePath(path)).to.equal(expected));
  }

  it('is bounded, whatever it is', () => {
    const parts = ['/', 'a', '//', ':', '@', 'eyJ', '.', ' ', '%40', 'Bearer ', '+', 'A1a'];
    for (const part of parts)
      for (const other of parts) {
        const text = `${(part.repeat(3) + other).repeat(4_000)}\0`;
        expect(loggable(text).length).to.be.at.most(203);
        expect(loggablePath(`/${text}`).length).to.be.at.most(206);
      }
  });
});
