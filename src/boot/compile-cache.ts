import { mkdirSync, statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';

/**
 * Keeps compiled code in `folder` between starts, unless somebody else may write there too: what V8 reads back, it runs. Without
 * a folder that can be written, each start compiles anew.
 */
export function keepCompiledCode(folder: string): void {
  try {
    // Whatever the umask is.
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // It is there, or cannot be.
  }
  const isOthers = ((statSync(folder, { throwIfNoEntry: false })?.mode ?? 0) & 0o022) !== 0;
  if (!isOthers) enableCompileCache(folder);
}
