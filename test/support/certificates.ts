import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A private certificate authority, in a folder of a test. */
export interface Authority {
  /** The path of its certificate. */
  readonly path: string;
  /** Issues a certificate for names such as `DNS:db.internal` and `IP:127.0.0.1`. */
  issue(...names: string[]): Promise<{ readonly key: string; readonly cert: string }>;
}

/** Creates one, with the program `openssl`. */
export async function createAuthority(folder: string, name: string): Promise<Authority> {
  const at = (file: string) => join(folder, `${name}-${file}`);
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  await openssl(
    ...['req', '-x509', ...newKey, '-subj', `/CN=${name}`, '-keyout', at('ca.key'), '-out', at('ca.pem')],
  );
  let issued = 0;
  return {
    path: at('ca.pem'),
    async issue(...names) {
      const [key, request, cert, extensions] = ['key', 'csr', 'pem', 'ext'].map((ending) =>
        at(`${issued}.${ending}`),
      ) as [string, string, string, string];
      issued += 1;
      await openssl('req', ...newKey, '-subj', '/CN=database', '-keyout', key, '-out', request);
      await writeFile(extensions, `subjectAltName = ${names.join(', ')}\n`);
      await openssl(
        ...['x509', '-req', '-in', request, '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial'],
        ...['-days', '2', '-extfile', extensions, '-out', cert],
      );
      return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
    },
  };
}
