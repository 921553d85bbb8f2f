import type { TlsChoice } from '../../config/database-url.ts';
import { DatabaseUnfit } from './unfit.ts';

/** Node.js' codes of a certificate that no trusted authority has signed. */
const UNTRUSTED =
  /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_|CERT_(SIGNATURE_FAILURE|UNTRUSTED|REJECTED)|INVALID_CA)/;

/** Node.js' codes of a certificate outside of its time. */
const UNTIMELY = /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/;

/** The error for a database's certificate that was refused, with what to do; `undefined` for other errors. */
export function certificateProblem(error: unknown, { rootCert }: TlsChoice): DatabaseUnfit | undefined {
  const { code = '', message = '', reason } = error as { code?: string; message?: string; reason?: string };
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new DatabaseUnfit(
      `The certificate of the database does not name the host of DATABASE_URL (${reason ?? message}): name a host that it has, ` +
        'or check its authority alone, with sslmode=verify-ca and sslrootcert.',
    );
  }
  if (UNTIMELY.test(code)) {
    return new DatabaseUnfit(
      `The certificate of the database is not valid now (${message}): renew it, or correct the clock.`,
    );
  }
  if (!UNTRUSTED.test(code)) return undefined;
  const trusted =
    rootCert === undefined || rootCert === 'system' ? 'that this machine trusts' : `in ${rootCert}`;
  return new DatabaseUnfit(
    `No authority ${trusted} has signed the certificate of the database (${message}): name the file of its authority in ` +
      'DATABASE_URL, with sslrootcert.',
  );
}
