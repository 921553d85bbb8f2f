import { parseArgs } from 'node:util';
import { settingsOrExit } from '../../config/exit.ts';
import { isEmail, normalizeEmail } from '../domain/email.ts';
import { developmentSecret } from '../security/development-secret.ts';
import { signHs256 } from '../security/token.ts';

const USAGE = `Usage: npm run --silent token -- EMAIL [--ttl 1h] [--force]

Prints a token that speaks for EMAIL, signed with the configured secret.

  --ttl TIME   how long it is valid: 30s, 15m, 1h (the default), 7d
  --force      in production too, where a token is as good as a sign-in
  --help       this text`;

/** EX_USAGE of sysexits.h. */
const EXIT_USAGE = 64;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ttl: { type: 'string', default: '1h' },
      force: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  console.log(values.help ? USAGE : await token(positionals, values));
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`);
  process.exitCode = EXIT_USAGE;
}

async function token(
  positionals: string[],
  { ttl, force }: { ttl: string; force: boolean },
): Promise<string> {
  const [email, ...rest] = positionals.map(normalizeEmail);
  if (email === undefined || rest.length > 0) throw new Error('Name one email address.');
  if (!isEmail(email)) throw new Error(`${email} is not an email address.`);
  const { environment, authSecret, dataDir } = settingsOrExit();
  if (environment === 'production' && !force) throw new Error('In production this takes --force.');
  return signHs256(authSecret ?? (await developmentSecret(dataDir)), email, ttl);
}
