/** A mistake in how a command was called, reported with its usage. */
export class UsageError extends Error {}

/** The exit code of a usage error (EX_USAGE of sysexits.h). */
export const EXIT_USAGE = 64;

/** Whether an error is a usage error, ours or that of `parseArgs`. */
export function isUsageError(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return error instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS') === true;
}
