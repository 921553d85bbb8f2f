import { expect } from 'chai';
import { OLDEST_NODE } from '../../config/node-version.ts';
import packageJson from '../../package.json' with { type: 'json' };

describe('the oldest supported Node.js', () => {
  it('is the one in package.json', () => {
    expect(packageJson.engines.node).to.equal(`>=${OLDEST_NODE}`);
  });
});
