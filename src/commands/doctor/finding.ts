/** How well something is: as it should be, worth a look, or broken. */
export type Level = 'ok' | 'warning' | 'problem';

/** What a check has found. */
export interface Finding {
  /** What was checked. */
  readonly check: string;
  readonly level: Level;
  readonly message: string;
  /** What to do about it; `null` where nothing is to be done. */
  readonly mend: string | null;
}

/** Something is as it should be. */
export const ok = (check: string, message: string): Finding => ({ check, level: 'ok', message, mend: null });

/** Something works, and is worth a look. */
export const warning = (check: string, message: string, mend: string): Finding => ({
  check,
  level: 'warning',
  message,
  mend,
});

/** Something does not work. */
export const problem = (check: string, message: string, mend: string): Finding => ({
  check,
  level: 'problem',
  message,
  mend,
});

/** Runs a check that may fail in ways that it does not know: that is a problem too, and the next check goes on. */
export async function attempt(
  check: string,
  work: () => Finding[] | Promise<Finding[]>,
  mend = 'Run the doctor again; if this stays, look at the message.',
): Promise<Finding[]> {
  try {
    return await work();
  } catch (error) {
    return [problem(check, messageOf(error), mend)];
  }
}

/** The text of an error; where several addresses have failed, it has none of its own. */
export function messageOf(error: unknown): string {
  const { message, code, errors } = error as Error & { code?: string; errors?: unknown[] };
  return message || (errors?.map(messageOf).join('; ') ?? '') || code || String(error);
}
