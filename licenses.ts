import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

const HEAD = `These packages are part of the files in this folder. The licence of each follows.`;

/** The licences of the packages that have gone into these bundles, for whoever gets the bundles: most of them ask for that. */
export function licensesOf(bundles: readonly Metafile[], root: string): string {
  // The paths are from where each bundle was made, and those of nested packages have several parents.
  const folders = new Set(
    bundles.flatMap(({ inputs }) =>
      Object.keys(inputs).flatMap(
        (path) => /node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
      ),
    ),
  );
  const texts = [...folders].sort().map((folder) => licenseOf(join(root, folder)));
  return `${[HEAD, ...new Set(texts)].join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

function licenseOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|copying|notice)/i.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return [`${name} ${version}: ${license}`, ...texts].join('\n\n');
}
