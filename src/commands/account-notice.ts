import { invocationOf } from '../../config/invocation.ts';
import type { Settings } from '../../config/settings.ts';
import { openStore } from '../boot/open-store.ts';
import { reachIfRunning } from '../database/open-database.ts';
import { admits } from '../domain/access.ts';
import { User } from '../domain/user.ts';

/** The longest wait for a database that does not answer, in milliseconds: a token can be signed without one. */
const PATIENCE_MS = 2_000;

/**
 * A sentence for the developer who gets a token for `email` (normalized): why the token is refused, or that its first request
 * creates the account. `undefined` where the email has an active account. Starts no database, and never throws.
 */
export async function accountNotice(settings: Settings, email: string): Promise<string | undefined> {
  try {
    const status = await statusOf(settings, email);
    if (status === 'active') return undefined;
    if (status === 'suspended')
      return `The account ${email} is suspended, and its tokens are refused. Restore it: ${invocationOf('accounts', `restore ${email}`)}`;
    if (admits(settings.access, email))
      return `There is no account ${email} yet: the first request with this token creates it.`;
    return `There is no account ${email}: this token is refused. Create the account: ${invocationOf('accounts', `invite ${email}`)}`;
  } catch (error) {
    return `Not checked whether there is an account ${email}: ${(error as Error).message}`;
  }
}

async function statusOf(settings: Settings, email: string): Promise<User['status'] | undefined> {
  const { database, bootTimeoutMs, dataDir } = settings;
  const connectTimeoutMs = Math.min(database.connectTimeoutMs, PATIENCE_MS);
  const statementTimeoutMs = Math.min(database.statementTimeoutMs || PATIENCE_MS, PATIENCE_MS);
  const reached = await reachIfRunning({
    database: { ...database, connectTimeoutMs, statementTimeoutMs },
    dataDir,
    bootTimeoutMs,
  });
  if (reached === undefined) throw new Error('the service is not running.');
  const store = await openStore(reached);
  try {
    return (await store.orm.em.fork().findOne(User, { email }, { fields: ['status'] }))?.status;
  } finally {
    await store.close();
  }
}
