import type { EntityManager } from '@mikro-orm/postgresql';
import { quoteIdentifier as quote } from '../quote-identifier.ts';
import type { ColumnShape, TableShape } from './shape.ts';

/** The migration that gives accounts a status. */
export const STATUS_MIGRATION = 'Migration20261124000000_users_status_version';

/** Columns in which services note that an account may not sign in, by type and name, and when they say so. */
const BARS: readonly { type: RegExp; name: RegExp; says: string }[] = [
  // A service that asks `if not user.is_active` takes null for false.
  { type: /^boolean$/, name: /^(is_)?(active|enabled)$/, says: 'is not true' },
  {
    type: /^boolean$/,
    name: /^(is_)?(disabled|inactive|banned|blocked|suspended|locked|deleted|archived|deactivated)$/,
    says: 'is true',
  },
  {
    type: /^(timestamp|date)/,
    name: /^(disabled|banned|blocked|suspended|locked|deleted|archived|deactivated)_(at|on)$/,
    says: 'is not null',
  },
];

/** The columns by which the table bars accounts from signing in, in its order. */
export function barringColumns({ columns }: TableShape): string[] {
  return columns.filter((column) => barOf(column) !== undefined).map(({ name }) => name);
}

/** How many accounts the columns bar. Needs a readable table. */
export async function countBarred(em: EntityManager, shape: TableShape): Promise<number> {
  const [row] = await em.execute<{ total: string }[]>(
    `select count(*) as total from users where ${condition(shape)}`,
  );
  return Number(row?.total);
}

/**
 * Suspends the accounts that the columns bar. Call it after {@link STATUS_MIGRATION} and before the history begins, which then
 * begins with suspended accounts.
 */
export async function suspendBarred(em: EntityManager, shape: TableShape): Promise<void> {
  await em.execute(`update users set status = 'suspended' where ${condition(shape)}`);
}

function barOf({ name, type }: ColumnShape): string | undefined {
  return BARS.find((bar) => bar.type.test(type) && bar.name.test(name))?.says;
}

function condition({ columns }: TableShape): string {
  const bars = columns.flatMap((column) => {
    const says = barOf(column);
    return says === undefined ? [] : [`${quote(column.name)} ${says}`];
  });
  return bars.length === 0 ? 'false' : bars.join(' or ');
}
