import { expect } from 'chai';
import { AUTHJS_COOKIES } from '../../src/security/authjs-session.ts';
import { sessionToken } from '../../src/security/session-cookie.ts';
import { InvalidToken } from '../../src/security/token.ts';

describe('the session cookie', () => {
  const headers: [content: string, header: string, token: string | undefined][] = [
    ['the name for HTTP', 'authjs.session-token=a', 'a'],
    ['the name for HTTPS', '__Secure-authjs.session-token=a', 'a'],
    ['both names, preferring HTTPS', 'authjs.session-token=a; __Secure-authjs.session-token=b', 'b'],
    ['other cookies around it', 'x=1; authjs.session-token=a; y=2', 'a'],
    ['no spaces between cookies', 'x=1;authjs.session-token=a;y=2', 'a'],
    ['a value with equals signs', 'authjs.session-token=a=b==', 'a=b=='],
    ['one chunk', 'authjs.session-token.0=a', 'a'],
    [
      'chunks in any order',
      'authjs.session-token.2=c; authjs.session-token.0=a; authjs.session-token.1=b',
      'abc',
    ],
    [
      'twelve chunks, in numerical order',
      Array.from({ length: 12 }, (_, index) => `authjs.session-token.${11 - index}=${11 - index}.`).join(
        '; ',
      ),
      '0.1.2.3.4.5.6.7.8.9.10.11.',
    ],
    ['chunks with a gap, up to the gap', 'authjs.session-token.0=a; authjs.session-token.2=c', 'a'],
    ['chunks and an empty whole cookie', 'authjs.session-token.0=b; authjs.session-token=', 'b'],
    ['no cookies', '', undefined],
    ['an empty value', 'authjs.session-token=', undefined],
    ['an empty value under one name only', '__Secure-authjs.session-token=; authjs.session-token=a', 'a'],
    ['chunks without the first', 'authjs.session-token.1=b', undefined],
    ['names with the same beginning', 'authjs.session-token-x=a; authjs.session-token.0x=a', undefined],
    ['names with the same end', 'xauthjs.session-token=a; x-authjs.session-token.0=a', undefined],
    ['chunk numbers with a leading zero', 'authjs.session-token.00=a; authjs.session-token.01=b', undefined],
    ['chunk numbers in another notation', 'authjs.session-token.-1=a; authjs.session-token.1e0=a', undefined],
    ['the name in capitals', 'AUTHJS.SESSION-TOKEN=a', undefined],
    ['the name of NextAuth.js 4', 'next-auth.session-token=a', 'a'],
    ['the names of both', 'next-auth.session-token=a; authjs.session-token=b', 'b'],
    ['the name as a pattern', 'authjsXsession-token=a', undefined],
    ['the name as a value', 'x=authjs.session-token; y="authjs.session-token=a"', undefined],
    ['the name without a value', 'authjs.session-token', undefined],
    ['a property name of every object', '__proto__=a; constructor=b', undefined],
  ];
  for (const [content, header, token] of headers) {
    it(`${token === undefined ? 'is not found' : 'is found'} in a header with ${content}`, () => {
      expect(sessionToken(header, AUTHJS_COOKIES)).to.equal(token);
    });
  }

  it('is found only under its configured name', () => {
    expect(sessionToken('app=a', ['app'])).to.equal('a');
    expect(sessionToken('app.0=a; app.1=b', ['app'])).to.equal('ab');
    expect(sessionToken('authjs.session-token=a', ['app'])).to.equal(undefined);
    expect(sessionToken('apple=a; app*=b', ['app*'])).to.equal('b');
  });

  it('is refused if it appears twice', () => {
    for (const header of [
      'authjs.session-token=a; authjs.session-token=b',
      'authjs.session-token=a; authjs.session-token=a',
      'authjs.session-token.0=a; authjs.session-token.1=b; authjs.session-token.1=c',
      'authjs.session-token.0=b; authjs.session-token=a',
    ]) {
      expect(() => sessionToken(header, AUTHJS_COOKIES)).to.throw(
        InvalidToken,
        'the session cookie appears twice',
      );
    }
  });

  it('is found among 1,000 cookies, and not looked for among more', () => {
    const header = (count: number) => `${'a=1;'.repeat(count - 1)}authjs.session-token=a`;
    expect(sessionToken(header(1_000), AUTHJS_COOKIES)).to.equal('a');
    expect(() => sessionToken(header(1_001), AUTHJS_COOKIES)).to.throw(
      InvalidToken,
      'more than 1000 cookies',
    );
  });
});
