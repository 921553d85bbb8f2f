import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { bundleConsole } from '../../src/console/bundle.ts';

/** The most that the console's script may weigh, compressed, in bytes. */
const MAX_SCRIPT_BYTES = 40 * 1024;

describe('the bundle of the console', () => {
  it('is one small script, one style sheet and the icon', async () => {
    const files = await bundleConsole();
    expect([...files.keys()]).to.have.members(['console.js', 'console.css', 'icon.svg']);
    expect(gzipSync(files.get('console.js') ?? '').length).to.be.within(5_000, MAX_SCRIPT_BYTES);
  });
});
