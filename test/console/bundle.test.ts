import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { bundleConsole, type ConsoleFiles } from '../../src/console/bundle.ts';

/** The most that the scripts of the first view may weigh, compressed, in bytes. */
const MAX_FIRST_BYTES = 40 * 1024;

/** The most that any other view may add to that. */
const MAX_VIEW_BYTES = 12 * 1024;

describe('the bundle of the console', () => {
  let files: ConsoleFiles;

  before(async () => {
    files = await bundleConsole();
  });

  const sizeOf = (name: string) => gzipSync(files.get(name) ?? '').length;
  const importsOf = (name: string) =>
    [
      ...Buffer.from(files.get(name) ?? '')
        .toString()
        .matchAll(/\bfrom"\.\/([\w.-]+)"|\bimport"\.\/([\w.-]+)"/g),
    ].map(([, one, other]) => one ?? other ?? '');
  /** A script, and what it imports before it runs. */
  const closureOf = (name: string, known = new Set<string>()): Set<string> => {
    if (known.has(name)) return known;
    known.add(name);
    for (const other of importsOf(name)) closureOf(other, known);
    return known;
  };
  const total = (names: Iterable<string>) => [...names].reduce((sum, name) => sum + sizeOf(name), 0);

  it('is a script, what runs before it, a style sheet and the icon, those of the page at /docs, and files with hashes in their names', () => {
    const fixed = [...files.keys()].filter((name) => !/-[A-Z0-9]{8}\.js$/.test(name));
    expect(fixed).to.have.members([
      'console.js',
      'console.css',
      'icon.svg',
      'start.js',
      'docs.js',
      'docs.css',
    ]);
  });

  it('has small scripts: those of the first view, and those of each other', () => {
    const first = closureOf('console.js');
    expect(total(first)).to.be.within(5_000, MAX_FIRST_BYTES);
    const others = [...files.keys()].filter((name) => name.endsWith('.js') && !first.has(name));
    expect(others).to.not.be.empty;
    for (const name of others) {
      const added = [...closureOf(name)].filter((one) => !first.has(one));
      expect(total(added), name).to.be.below(MAX_VIEW_BYTES);
    }
  });
});
