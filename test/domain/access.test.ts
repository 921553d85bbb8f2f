import { expect } from 'chai';
import { accessDomain, admits } from '../../src/domain/access.ts';

describe('access policy domain normalization', () => {
  const forms: [text: string, domain: string | undefined][] = [
    ['example.com', 'example.com'],
    [' Example.COM ', 'example.com'],
    ['*.example.com', '*.example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['BU\u0308CHER.example', 'xn--bcher-kva.example'],
    ['*.例え.jp', '*.xn--r8jz45g.jp'],
    ['example', undefined],
    ['*', undefined],
    ['*.', undefined],
    ['*.com*', undefined],
    ['a.*.com', undefined],
    ['.example.com', undefined],
    ['example.com.', undefined],
    ['ada@example.com', undefined],
    ['https://example.com', undefined],
    ['exa mple.com', undefined],
    ['example.com/path', undefined],
    ['example.com?x=1', undefined],
    ['example.com#x', undefined],
    [String.raw`example.com\x`, undefined],
    ['ex%61mple.com', undefined],
    ['example.com:443', undefined],
    ['a:b@example.com', undefined],
    ['exa\tmple.com', undefined],
    ['example.com\u0001', undefined],
    ['example.com／x', undefined],
    ['127.0.0.1', undefined],
    ['*.127.0.0.1', undefined],
    ['0x7f.1', undefined],
    ['１２７.0.0.1', undefined],
    ['[::1]', undefined],
    ['*.com', undefined],
    ['', undefined],
  ];
  for (const [text, domain] of forms) {
    it(
      domain === undefined
        ? `rejects ${JSON.stringify(text)}`
        : `turns ${JSON.stringify(text)} into ${domain}`,
      () => {
        expect(accessDomain(text)).to.equal(domain);
        if (domain !== undefined) expect(accessDomain(domain)).to.equal(domain);
      },
    );
  }
});

describe('an access policy', () => {
  const domains = ['example.com', '*.example.org', 'xn--bcher-kva.example'];
  const cases: [email: string, isAdmitted: boolean][] = [
    ['ada@example.com', true],
    ['ada@sub.example.com', false],
    ['ada@notexample.com', false],
    ['ada@example.com.evil.test', false],
    ['ada@example.org', false],
    ['ada@a.example.org', true],
    ['ada@a.b.example.org', true],
    ['ada@evilexample.org', false],
    ['ada@bücher.example', true],
    ['ada@xn--bcher-kva.example', true],
    ['ada@bucher.example', false],
  ];
  for (const [email, isAdmitted] of cases) {
    it(`with domains ${isAdmitted ? 'admits' : 'does not admit'} ${email}`, () => {
      expect(admits({ policy: 'domains', domains }, email)).to.equal(isAdmitted);
    });
  }

  it('admits nobody new under invited, and everybody under open', () => {
    expect(admits({ policy: 'invited', domains }, 'ada@example.com')).to.equal(false);
    expect(admits({ policy: 'open', domains: [] }, 'ada@elsewhere.test')).to.equal(true);
  });
});
