import { Readable } from 'node:stream';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import type { Account } from '../domain/user.ts';
import { accountRecord } from './account-record.ts';
import type { Format } from './formats/index.ts';

/** How many accounts are fetched at once. */
const BATCH_SIZE = 200;

/** A row as the ORM's driver gives it: its times as PostgreSQL writes them. */
type Row = Omit<Account, 'createdAt' | 'updatedAt'> & { createdAt: string; updatedAt: string };

const QUERY = `
  select id, email, name, role, status, preferences, storage_mode as "storageMode", version,
         created_at as "createdAt", updated_at as "updatedAt"
    from users order by id`;

/**
 * All accounts, ordered by id, as one consistent picture: a stream of text that reads from a server-side cursor no faster
 * than it is read. The database is not asked before somebody reads, and its connection, one of the pool's own, is
 * given back when the stream ends, fails or is destroyed.
 */
export function exportAccounts(em: EntityManager, format: Format): Readable {
  // Strings as they are, and one ready while whoever reads is busy.
  return Readable.from(chunks(em, format), { objectMode: true, highWaterMark: 1 });
}

async function* chunks(em: EntityManager, format: Format): AsyncGenerator<string> {
  const pool: Pool = await em.getConnection().getNativeClient();
  const dateOf = (text: string) => em.getPlatform().parseDate(text);
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('begin isolation level repeatable read read only');
    // A download takes as long as its reader does, who is watched by others; each fetch is still a statement that ends.
    await client.query('set local idle_in_transaction_session_timeout = 0');
    await client.query(`declare accounts no scroll cursor for ${QUERY}`);
    let text = format.head;
    for (;;) {
      const { rows } = await client.query<Row>(`fetch ${BATCH_SIZE} from accounts`);
      for (const row of rows) {
        const account = { ...row, createdAt: dateOf(row.createdAt), updatedAt: dateOf(row.updatedAt) };
        text += format.write(accountRecord(account));
      }
      if (text !== '') yield text;
      if (rows.length < BATCH_SIZE) break;
      text = '';
    }
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    await client.query('rollback').catch((error: Error) => {
      failure ??= error;
    });
    // A connection that has failed is not given to anybody else.
    client.release(failure);
  }
}
