import { parseArgs } from 'node:util';
import { settingsOrExit } from '../../config/exit.ts';
import { invocationOf } from '../../config/invocation.ts';
import { isAmbiguousTyped, isEmail, normalizeEmail } from '../domain/email.ts';
import { signHs256 } from '../security/hmac.ts';
import { keyRing } from '../security/key-ring.ts';
import { accountNotice } from './account-notice.ts';
import { EXIT_USAGE, isUsageError, UsageError } from './usage-error.ts';

const USAGE = `Usage: ${invocationOf('token', 'EMAIL [--ttl 1h] [--force]')}

Prints a token for EMAIL, signed with the newest secret, and says on standard error if EMAIL has no active account.

  --ttl TIME   lifetime: 30s, 15m, 1h (default), 7d
  --force      allow it in production, where a token is as good as a sign-in
  --help       print this text`;

try {
  console.log(await run());
} catch (error) {
  const { message } = error as Error;
  const isUsage = isUsageError(error);
  console.error(isUsage ? `${message}\n\n${USAGE}` : message);
  process.exitCode = isUsage ? EXIT_USAGE : 1;
}

async function run(): Promise<string> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ttl: { type: 'string', default: '1h' },
      force: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return USAGE;
  const [typed, ...rest] = positionals;
  if (typed === undefined || rest.length > 0) throw new UsageError('Name one email address.');
  const email = normalizeEmail(typed);
  if (!isEmail(email)) throw new UsageError(`${email} is not an email address.`);
  if (isAmbiguousTyped(typed))
    throw new UsageError(`${typed} has characters that stand for others: write it as ${email}.`);
  if (!/^[1-9]\d*[smhd]$/.test(values.ttl))
    throw new UsageError('--ttl must be a number followed by s, m, h or d.');
  const settings = settingsOrExit();
  const { environment, auth, dataDir } = settings;
  if (environment === 'production' && !values.force) throw new UsageError('In production, pass --force.');
  const [secret] = await keyRing(auth, dataDir);
  if (secret === undefined)
    throw new UsageError('Set AUTH_SECRET: without it, only the tokens of your issuers are accepted.');
  const notice = await accountNotice(settings, email);
  if (notice !== undefined) console.error(notice);
  return signHs256(secret, email, values.ttl, auth.emailClaims[0]);
}
