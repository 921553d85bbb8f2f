import { expect } from 'chai';
import { AUTHJS_COOKIES } from '../../src/security/authjs-session.ts';
import { sessionToken } from '../../src/security/session-cookie.ts';
import { InvalidToken } from '../../src/security/token.ts';

describe('the session cookie', () => {
  const found: [what: string, header: string, token: string | undefined][] = [
    ['the plain name', 'authjs.session-token=a', 'a'],
    ['the name of HTTPS', '__Secure-authjs.session-token=a', 'a'],
    [
      'both names, of which that of HTTPS counts',
      'authjs.session-token=a; __Secure-authjs.session-token=b',
      'b',
    ],
    ['other cookies around it', 'x=1; authjs.session-token=a; y=2', 'a'],
    ['no blanks between cookies', 'x=1;authjs.session-token=a;y=2', 'a'],
    ['a value with equals signs', 'authjs.session-token=a=b==', 'a=b=='],
    ['one chunk', 'authjs.session-token.0=a', 'a'],
    [
      'chunks in any order',
      'authjs.session-token.2=c; authjs.session-token.0=a; authjs.session-token.1=b',
      'abc',
    ],
    [
      'twelve chunks, in the order of numbers',
      Array.from({ length: 12 }, (_, index) => `authjs.session-token.${11 - index}=${11 - index}.`).join(
        '; ',
      ),
      '0.1.2.3.4.5.6.7.8.9.10.11.',
    ],
    ['chunks with a gap, up to the gap', 'authjs.session-token.0=a; authjs.session-token.2=c', 'a'],
    ['chunks beside an empty one', 'authjs.session-token.0=b; authjs.session-token=', 'b'],
    ['nothing', '', undefined],
    ['an empty value', 'authjs.session-token=', undefined],
    ['an empty value under one name only', '__Secure-authjs.session-token=; authjs.session-token=a', 'a'],
    ['chunks without the first', 'authjs.session-token.1=b', undefined],
    ['names that begin alike', 'authjs.session-token-x=a; authjs.session-token.0x=a', undefined],
    ['names that end alike', 'xauthjs.session-token=a; x-authjs.session-token.0=a', undefined],
    [
      'chunks whose number has a zero in front',
      'authjs.session-token.00=a; authjs.session-token.01=b',
      undefined,
    ],
    ['chunks with other numbers', 'authjs.session-token.-1=a; authjs.session-token.1e0=a', undefined],
    ['the name in capitals', 'AUTHJS.SESSION-TOKEN=a', undefined],
    ['the name of NextAuth.js 4', 'next-auth.session-token=a', undefined],
    ['the name as a pattern', 'authjsXsession-token=a', undefined],
    ['the name as a value', 'x=authjs.session-token; y="authjs.session-token=a"', undefined],
    ['the name without a value', 'authjs.session-token', undefined],
    ['a name that every object has', '__proto__=a; constructor=b', undefined],
  ];
  for (const [what, header, token] of found) {
    it(`${token === undefined ? 'is not found' : 'is found'} in a header with ${what}`, () => {
      expect(sessionToken(header, AUTHJS_COOKIES)).to.equal(token);
    });
  }

  it('is found under a name of its own, and then under no other', () => {
    expect(sessionToken('app=a', ['app'])).to.equal('a');
    expect(sessionToken('app.0=a; app.1=b', ['app'])).to.equal('ab');
    expect(sessionToken('authjs.session-token=a', ['app'])).to.equal(undefined);
    expect(sessionToken('apple=a; app*=b', ['app*'])).to.equal('b');
  });

  it('is refused when one of its names comes twice', () => {
    for (const header of [
      'authjs.session-token=a; authjs.session-token=b',
      'authjs.session-token=a; authjs.session-token=a',
      'authjs.session-token.0=a; authjs.session-token.1=b; authjs.session-token.1=c',
      'authjs.session-token.0=b; authjs.session-token=a',
    ]) {
      expect(() => sessionToken(header, AUTHJS_COOKIES)).to.throw(
        InvalidToken,
        'a session cookie comes twice',
      );
    }
  });

  it('is looked for in a header of 16 KiB without ado', () => {
    const header = Array.from({ length: 4096 }, () => 'a=').join(';');
    expect(sessionToken(`${header}; authjs.session-token=a`, AUTHJS_COOKIES)).to.equal('a');
  });
});
