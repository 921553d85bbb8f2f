import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ConnectionOptions, getCACertificates } from 'node:tls';
import type { DatabaseUrl, TlsChoice } from '../../config/database-url.ts';
import { DatabaseUnfit } from './unfit.ts';

/** Whether to try a connection with encryption (`true`) and without, in this order. */
export function encryptionAttempts({ tls: { mode }, hosts }: DatabaseUrl): readonly boolean[] {
  switch (mode ?? (hosts.every(({ host }) => isOnThisMachine(host)) ? 'allow' : 'prefer')) {
    case 'disable':
      return [false];
    case 'allow':
      return [false, true];
    case 'prefer':
      return [true, false];
    default:
      return [true];
  }
}

/** Whether a connection that failed so may succeed with the other choice of encryption. */
export function mayDependOnEncryption(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code = '' } = error as { code?: string };
  // 28000: no line of pg_hba.conf lets this one in. The rest: the server speaks no TLS, or none that Node.js speaks.
  return code === '28000' || /^(ERR_SSL|ERR_TLS|EPROTO)/.test(code) || / SSL connection/.test(error.message);
}

/**
 * The driver's `ssl` for an encrypted connection to a host, with libpq's meaning of `sslmode`. Unix sockets are never
 * encrypted. Throws {@link DatabaseUnfit} for a file that cannot be read.
 */
export function tlsOptions(tls: TlsChoice, host: string): ConnectionOptions | false {
  if (host.startsWith('/')) return false;
  const { mode = 'prefer', cert, key, passphrase, minVersion, rootCert } = tls;
  const own = {
    ...(cert !== undefined && { cert: read('sslcert', cert) }),
    ...(key !== undefined && { key: read('sslkey', key) }),
    ...(passphrase !== undefined && { passphrase }),
    ...(minVersion !== undefined && { minVersion }),
  };
  const checksHost = mode === 'verify-full';
  const isVerified = checksHost || mode === 'verify-ca' || (mode === 'require' && rootCert !== undefined);
  if (!isVerified) return { ...own, rejectUnauthorized: false };
  return {
    ...own,
    ca: trusted(rootCert),
    // The driver names a host to Node.js unless it is an address, and Node.js would compare with localhost then.
    ...(checksHost ? isIP(host) > 0 && { host } : { checkServerIdentity: () => undefined }),
  };
}

function trusted(rootCert: string | undefined): string | string[] {
  if (rootCert !== undefined && rootCert !== 'system') return read('sslrootcert', rootCert);
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

function read(parameter: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DatabaseUnfit(`DATABASE_URL has a ${parameter} that cannot be read: ${path} (${code}).`);
  }
}

/** Whether a host of a URL is this machine: by its name or address, or as the folder of a socket. */
export function isOnThisMachine(host: string | undefined): boolean {
  return host === undefined || host === 'localhost' || host === '::1' || /^(\/|127(\.\d+){3}$)/.test(host);
}
