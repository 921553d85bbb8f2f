import { expect } from 'chai';
import type { Answer } from '../../../src/services/webhooks/sender.ts';
import { verdictOn } from '../../../src/services/webhooks/verdict.ts';

const NOW = new Date('2026-02-01T08:30:00Z');

describe('the verdict on an answer', () => {
  const delayOf = (answer: Answer, attempt = 1) => verdictOn(answer, attempt, NOW)?.delayMs;

  it('is success for any 2xx and failure for everything else', () => {
    for (const status of [200, 201, 202, 204, 299]) expect(verdictOn({ status }, 1, NOW)).to.equal(undefined);
    for (const status of [199, 300, 301, 304, 307, 400, 404, 429, 500, 503, 599]) {
      expect(verdictOn({ status }, 1, NOW)).to.include({
        reason: `the answer was ${status}`,
        isFinal: false,
      });
    }
    expect(verdictOn({ reason: 'socket hang up' }, 1, NOW)).to.include({
      reason: 'socket hang up',
      isFinal: false,
    });
  });

  it('is final for 410', () => {
    expect(verdictOn({ status: 410 }, 1, NOW)).to.include({ isFinal: true });
  });

  it('doubles the delay with each attempt, from 5 seconds to an hour, plus or minus a quarter', () => {
    const expected = [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600];
    for (const [index, seconds] of expected.entries()) {
      for (let round = 0; round < 100; round++) {
        expect(delayOf({ status: 500 }, index + 1)).to.be.within(750 * seconds, 1250 * seconds);
      }
    }
    expect(delayOf({ status: 500 }, 10_000)).to.be.within(2_700_000, 4_500_000);
    const all = Array.from({ length: 20 }, () => delayOf({ status: 500 }));
    expect(new Set(all).size).to.be.greaterThan(1);
  });

  it('delays as long as Retry-After says, up to an hour and not less than without it', () => {
    const waits: [retryAfter: string, ms: number][] = [
      ['120', 120_000],
      ['3600', 3_600_000],
      ['3601', 3_600_000],
      ['9'.repeat(400), 3_600_000],
      ['Sun, 01 Feb 2026 08:40:00 GMT', 600_000],
      ['Mon, 01 Feb 2027 08:40:00 GMT', 3_600_000],
    ];
    for (const [retryAfter, ms] of waits)
      expect(delayOf({ status: 503, retryAfter }), retryAfter).to.equal(ms);
    for (const retryAfter of ['', '0', '1', '-120', 'soon', 'Sun, 01 Feb 2026 08:20:00 GMT']) {
      expect(delayOf({ status: 429, retryAfter }), retryAfter).to.be.within(3_750, 6_250);
    }
  });
});
