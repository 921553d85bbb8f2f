import { expect } from 'chai';
import {
  EMAIL_MAX_LENGTH,
  emailForms,
  isAmbiguousTyped,
  isEmail,
  isUnambiguousEmail,
  normalizeEmail,
  normalizeEmailPart,
} from '../../src/domain/email.ts';

describe('email normalization', () => {
  const forms: [given: string, normalized: string][] = [
    ['ada@example.com', 'ada@example.com'],
    ['Ada@EXAMPLE.com', 'ada@example.com'],
    [' \t\r\n ada@example.com\u00a0\u3000', 'ada@example.com'],
    ['ＡＤＡ＠ｅｘａｍｐｌｅ．ｃｏｍ', 'ada@example.com'],
    ['𝐚𝓭𝕒@example.com', 'ada@example.com'],
    ['ﬁnn@example.com', 'finn@example.com'],
    ['A\u0308nne@example.com', 'änne@example.com'],
    ['ÄNNE@example.com', 'änne@example.com'],
    ['GRÜẞE@example.com', 'grüße@example.com'],
    ['J\u030Ciri@example.com', '\u01F0iri@example.com'],
    ['ΟΔΥΣΣΕΥΣ@example.com', 'οδυσσευς@example.com'],
    ['\u212A@example.com', 'k@example.com'],
    ['ada@xn--mller-kva.example', 'ada@müller.example'],
    ['ada@XN--MLLER-KVA.example', 'ada@müller.example'],
    ['ada@mu\u0308ller.example', 'ada@müller.example'],
    ['ada@xn--mller-kva.xn--fsqu00a', 'ada@müller.例子'],
    ['ada@例子。广告', 'ada@例子.广告'],
    ['ada@xn--fa-hia.example', 'ada@faß.example'],
    ['ada@💚.example', 'ada@xn--5r8h.example'],
    ['ada@ශ්\u200dරී.example', 'ada@xn--10cl1a0b660p.example'],
    ['xn--mller-kva.example@example.com', 'xn--mller-kva.example@example.com'],
    ['ada@xn--nonsense-.example', 'ada@xn--nonsense-.example'],
    ['1@2.3', '1@2.3'],
    ['', ''],
  ];
  for (const [given, normalized] of forms) {
    it(`turns ${visible(given)} into ${visible(normalized)}`, () => {
      expect(normalizeEmail(given)).to.equal(normalized);
    });
  }

  it('is independent of the locale: an English I does not become a Turkish one', () => {
    expect(normalizeEmail('I@EXAMPLE.COM')).to.equal('i@example.com');
  });

  it('is idempotent for every character in every position', function () {
    this.timeout(120_000);
    const unstable = [];
    for (let code = 0; code <= 0x10ffff; code++) {
      const character = String.fromCodePoint(code);
      // No domain may have a character beyond the scripts.
      const inDomain = code < 0x32000 ? [`${character}a${character}@b${character}.c${character}`] : [];
      for (const email of [character, ...inDomain]) {
        const once = normalizeEmail(email);
        if (normalizeEmail(once) !== once) unstable.push(code.toString(16));
      }
    }
    expect(unstable).to.deep.equal([]);
  });

  it('is idempotent for every capital with every combining accent', () => {
    const unstable = [];
    for (let code = 0; code <= 0x10ffff; code++) {
      const capital = String.fromCodePoint(code);
      if (capital.toLowerCase() === capital) continue;
      for (let accent = 0x300; accent <= 0x36f; accent++) {
        const once = normalizeEmail(`${capital}${String.fromCodePoint(accent)}@example.com`);
        if (normalizeEmail(once) !== once) unstable.push([code, accent]);
      }
    }
    expect(unstable).to.deep.equal([]);
  });
});

describe('email validation', () => {
  const local = (length: number) => `${'a'.repeat(length - '@example.com'.length)}@example.com`;

  const emails = [
    'ada@example.com',
    'a@b.c',
    'ada.lovelace+rollcall@mail.example.co.uk',
    "o'brien!#$%&*/=?^_`{|}~-@example.com",
    '1@2.3',
    'a-b@x-y.z',
    'änne@müller.example',
    'δοκιμή@παράδειγμα.δοκιμή',
    '用户@例子.广告',
    'उदाहरण@उदाहरण.परीक्षा',
    '💚@example.com',
    'ada@xn--5r8h.example',
    'ada@xn--10cl1a0b660p.example',
    local(EMAIL_MAX_LENGTH),
    `${'💚'.repeat(EMAIL_MAX_LENGTH - 12)}@example.com`,
  ];
  for (const email of emails) {
    it(`accepts ${email.slice(0, 60)}`, () => {
      expect(normalizeEmail(email), 'normalized').to.equal(email);
      expect(isEmail(email)).to.equal(true);
    });
  }

  const others = [
    '',
    '@',
    'ada',
    'ada@',
    '@example.com',
    'ada@example',
    'ada@localhost',
    'ada@.example.com',
    'ada@example.com.',
    'ada@example..com',
    'ada@-example.com',
    'ada@example-.com',
    'ada@exa_mple.com',
    'ada@[127.0.0.1]',
    'ada@example.com:25',
    '.ada@example.com',
    'ada.@example.com',
    'ada..b@example.com',
    'ada@b@example.com',
    '"ada"@example.com',
    'ada b@example.com',
    'ada@exam ple.com',
    'ada,grace@example.com',
    'ada;grace@example.com',
    'ada(comment)@example.com',
    'ada <ada@example.com>',
    '<ada@example.com>',
    'mailto:ada@example.com',
    'ada\\@example.com',
    'ada\n@example.com',
    'ada@example.com\n',
    'ada@example.com\nBcc: x',
    'ada\0@example.com',
    'ada\u00a0b@example.com',
    'ada\u200b@example.com',
    'ada@exam\u200dple.com',
    'ada\u202e@example.com',
    'ada\u00ad@example.com',
    'ada\ufeff@example.com',
    'ada\u3164@example.com',
    'ada\u115f@example.com',
    'ada\ufe0f@example.com',
    'ada\u{e0100}@example.com',
    'ada\u034f@example.com',
    'ada\u17b4@example.com',
    'ada\u180b@example.com',
    'ada@exam\ufe00ple.com',
    'ada@exam\u3164ple.com',
    'ada\ud800@example.com',
    'ada\u2028@example.com',
    'ADA@example.com',
    'ªda@example.com',
    'ada@xn--mller-kva.example',
    'ada@xn--nonsense-.example',
    'ada@-müller.example',
    'ada@xn---mller-4ya.example',
    'ada@💚.example',
    'ada@exam\u00adple.com',
    local(EMAIL_MAX_LENGTH + 1),
    `${'💚'.repeat(EMAIL_MAX_LENGTH - 11)}@example.com`,
  ];
  for (const email of others) {
    it(`refuses ${visible(email.slice(0, 60))}`, () => expect(isEmail(email)).to.equal(false));
  }

  it('is fast for long and hostile text', () => {
    for (const text of [
      'a.'.repeat(500_000),
      `a@${'a-'.repeat(500_000)}`,
      `a@${'a.'.repeat(250)}`,
      '@'.repeat(1e6),
    ]) {
      expect(isEmail(text)).to.equal(false);
    }
  });
});

describe('the forms of an email', () => {
  it('are its own and those of its domain', () => {
    expect(emailForms('ada@example.com')).to.deep.equal(['ada@example.com']);
    expect(emailForms('ada@müller.example')).to.deep.equal([
      'ada@müller.example',
      'ada@xn--mller-kva.example',
    ]);
    expect(emailForms('ada@xn--5r8h.example')).to.deep.equal(['ada@xn--5r8h.example', 'ada@💚.example']);
    expect(emailForms('no email')).to.deep.equal(['no email']);
  });

  it('are all that a provider may claim', () => {
    for (const claimed of [
      ' Ada@Example.COM ',
      'Änne@example.com',
      'J\u030Ciri@example.com',
      'ada@MÜLLER.example',
      'ada@xn--mller-kva.example',
      'ada@💚.example',
      'ada@xn--5r8h.example',
      'no email',
    ]) {
      expect(isUnambiguousEmail(claimed), claimed).to.equal(true);
    }
    for (const claimed of [
      'ªda@example.com',
      'ada＠example.com',
      'A\u0308nne@example.com',
      '\u212Aim@example.com',
    ]) {
      expect(isUnambiguousEmail(claimed), claimed).to.equal(false);
    }
  });

  it('may be typed in fullwidth letters, but not in other characters that stand for letters', () => {
    for (const typed of ['ＡＤＡ＠example．com', ' Ada@example.com\u3000', 'A\u0308nne@example.com']) {
      expect(isAmbiguousTyped(typed), typed).to.equal(false);
    }
    for (const typed of ['ªda@example.com', 'ﬁnn@example.com', '𝐚da@example.com', 'ada@example․com']) {
      expect(isAmbiguousTyped(typed), typed).to.equal(true);
    }
  });

  it('are parts of each other: a part is searched in the stored form', () => {
    expect(normalizeEmailPart('@XN--mller-kva.ex')).to.equal('@müller.ex');
    expect(normalizeEmailPart('xn--')).to.equal('xn--');
    expect(normalizeEmailPart(' A ')).to.equal(' a ');
  });

  it('never let two characters of a provider become one here, except by case', function () {
    this.timeout(120_000);
    const owners = new Map<string, string>();
    const confused: string[] = [];
    for (let code = 0x21; code <= 0x10ffff; code++) {
      const claimed = `a${String.fromCodePoint(code)}z@example.com`;
      if (!isUnambiguousEmail(claimed)) continue;
      const stored = normalizeEmail(claimed);
      const folded = claimed.toLowerCase();
      if ((owners.get(stored) ?? folded) !== folded) confused.push(stored);
      owners.set(stored, folded);
    }
    expect(owners.size).to.be.above(100_000);
    expect(confused).to.deep.equal([]);
  });
});

/** Escapes the invisible characters of a text for a test's title. */
function visible(text: string): string {
  const written = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(text).replace(/[^ -~]/g, written);
}
