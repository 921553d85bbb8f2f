/** Why a table cannot be adopted: the column (or the table, as `users`), and what to do about it. */
export interface Problem {
  readonly column: string;
  readonly message: string;
}

/** Several accounts with one email, once emails are normalized. */
export interface Duplicate {
  readonly email: string;
  /** In ascending order. */
  readonly ids: readonly number[];
  /** What tells the accounts apart, in the order of the ids. Without a column, its value is missing. */
  readonly accounts: readonly DuplicateAccount[];
}

/** An account with the email of another, as the former service has stored it. */
export interface DuplicateAccount {
  readonly id: number;
  readonly name?: string | null;
  readonly role?: string | null;
  /** As PostgreSQL writes it. */
  readonly created_at?: string | null;
}

/** The most ids that a message names. */
const MAX_NAMED = 20;

/** Names ids for a message: `ids 1, 2, 3 and 7 more`. */
export function idsOf(ids: readonly number[], total = ids.length): string {
  const named = ids.slice(0, MAX_NAMED);
  const more = total - named.length;
  return `${total === 1 ? 'id' : 'ids'} ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** A table that cannot be adopted as it is; nothing has been changed. The message has a line for each problem. */
export class CannotAdopt extends Error {
  override readonly name = 'CannotAdopt';

  constructor(problems: readonly Problem[], duplicates: readonly Duplicate[]) {
    const lines = [...problemLines(problems), ...duplicateLines(duplicates)];
    super(`The table users cannot be adopted, and nothing has been changed:\n${lines.join('\n')}`);
  }
}

/** A line for each problem. */
export function problemLines(problems: readonly Problem[]): string[] {
  return problems.map(({ column, message }) => `  ${column}: ${message}`);
}

/** A line for each group of duplicates, and one with what to do about them. */
export function duplicateLines(duplicates: readonly Duplicate[]): string[] {
  if (duplicates.length === 0) return [];
  return [
    ...duplicates
      .slice(0, MAX_DUPLICATES)
      .flatMap(({ email, ids, accounts }) => [
        `  email: ${email} belongs to several accounts (${idsOf(ids)})`,
        ...accounts.slice(0, MAX_NAMED).map((account) => `    ${describe(account)}`),
      ]),
    ...(duplicates.length > MAX_DUPLICATES
      ? [`  email: and ${duplicates.length - MAX_DUPLICATES} more emails`]
      : []),
    '  Merge them: npm run accounts -- adopt --merge (without --merge it shows what is found and changes nothing)',
  ];
}

function describe({ id, name, role, created_at: createdAt }: DuplicateAccount): string {
  const known = [name && JSON.stringify(name), role, createdAt && `created ${createdAt}`].filter(Boolean);
  return `id ${id}${known.length > 0 ? `: ${known.join(', ')}` : ''}`;
}

/** The most duplicates that a message names. */
const MAX_DUPLICATES = 100;
