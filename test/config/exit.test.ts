import { expect } from 'chai';
import { OLDEST_NODE } from '../../config/exit.ts';
import packageJson from '../../package.json' with { type: 'json' };

describe('the oldest Node.js that a start accepts', () => {
  it('is the one that package.json promises', () => {
    expect(packageJson.engines.node).to.equal(`>=${OLDEST_NODE}`);
  });
});
