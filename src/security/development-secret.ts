import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The secret that signs tokens when none is configured. Generated once and stored in `dataDir`, readable only by its
 * owner. Every process gets the same one, even if several call this at once for the first time.
 * @throws {Error} if the file exists but holds no secret.
 */
export async function developmentSecret(dataDir: string): Promise<string> {
  const path = join(dataDir, 'auth-secret');
  const existing = await readSecret(path);
  if (existing !== undefined) return existing;

  await mkdir(dataDir, { recursive: true });
  // A complete draft is linked to the final name, which fails if the name exists: no process reads half a secret.
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  return (await readSecret(path)) as string;
}

async function readSecret(path: string): Promise<string | undefined> {
  try {
    const secret = (await readFile(path, 'utf8')).trim();
    if (secret.length < 32) throw new Error(`${path} holds no secret: remove it to generate a new one.`);
    return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
