import { mkdirSync, statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';

/**
 * Keeps compiled code in `folder` between starts, unless the folder is another account's or others may write there too: V8 runs
 * whatever it finds there. Without a folder that can be written, each start compiles anew; so does the first one after a move before
 * Node.js 24.12.
 */
export function keepCompiledCode(folder: string): void {
  try {
    // Whatever the umask is.
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // It is there, or cannot be.
  }
  const found = statSync(folder, { throwIfNoEntry: false });
  // Windows has no such owners.
  const isOthers =
    found !== undefined && (found.uid !== (process.getuid?.() ?? found.uid) || (found.mode & 0o022) !== 0);
  if (isOthers) return;
  // Relative paths are new there, and older versions take a path alone.
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isPortable = major > 24 || (major === 24 && minor >= 12);
  enableCompileCache(isPortable ? { directory: folder, portable: true } : folder);
}
