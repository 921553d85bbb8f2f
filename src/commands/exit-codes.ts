import { EXIT_CONFIG } from '../../config/exit.ts';
import { CannotAdopt } from '../database/adoption/index.ts';
import { LockHeld } from '../database/boot-lock.ts';
import { LockMissed } from '../database/lock-watch.ts';
import { DatabaseUnfit } from '../database/unfit.ts';
import { Refusal } from '../domain/refusal.ts';
import type { RefusalCode } from '../domain/refusals.ts';
import { InvalidPreferencesSchema } from '../services/accounts/preferences-schema.ts';
import { CannotPublish } from '../store/publication/publish.ts';
import { EXIT_USAGE, isUsageError } from './usage-error.ts';

/** Exit codes of sysexits.h, for scripts. */
export const EXIT = {
  usage: EXIT_USAGE,
  data: 65,
  noInput: 66,
  noUser: 67,
  unavailable: 69,
  refused: 77,
} as const;

const EXIT_OF_CODE: Partial<Record<RefusalCode, number>> = {
  invalid_input: EXIT.data,
  email_invalid: EXIT.data,
  not_found: EXIT.noUser,
  database_unavailable: EXIT.unavailable,
  lock_timeout: EXIT.unavailable,
  not_ready: EXIT.unavailable,
  account_in_use: EXIT.refused,
  account_suspended: EXIT.refused,
  email_taken: EXIT.refused,
  last_admin: EXIT.refused,
  changed_since: EXIT.refused,
  reason_required: EXIT.usage,
  lost_race: EXIT.refused,
};

/** The errors of a file that cannot be read. */
const NO_FILE = new Set(['ENOENT', 'EISDIR', 'EACCES']);

/** The exit code for an error that ended a command; 1 where none of them fits. */
export function exitCodeOf(error: NodeJS.ErrnoException): number {
  if (error instanceof Refusal) return EXIT_OF_CODE[error.code as RefusalCode] ?? 1;
  if (isUsageError(error)) return EXIT.usage;
  if (error instanceof CannotAdopt) return EXIT.data;
  if (error instanceof CannotPublish) return EXIT.refused;
  if (error instanceof LockHeld || error instanceof LockMissed) return EXIT.unavailable;
  if (error instanceof DatabaseUnfit || error instanceof InvalidPreferencesSchema) return EXIT_CONFIG;
  return NO_FILE.has(error.code ?? '') ? EXIT.noInput : 1;
}
