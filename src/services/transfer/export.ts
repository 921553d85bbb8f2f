import { Readable } from 'node:stream';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Account } from '../../domain/user.ts';
import { dateOf } from '../../store/rows.ts';
import { inBatches, inSnapshot } from '../../store/snapshot.ts';
import { accountRecord } from '../accounts/view.ts';
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
 * All accounts, ordered by id, as one consistent picture: a stream of text that reads no faster than it is read. The
 * database is not asked before somebody reads, and lets go when the stream ends, fails or is destroyed.
 */
export function exportAccounts(em: EntityManager, format: Format): Readable {
  // Strings as they are, and one ready while whoever reads is busy.
  return Readable.from(chunks(em, format), { objectMode: true, highWaterMark: 1 });
}

function chunks(em: EntityManager, format: Format): AsyncGenerator<string> {
  return inSnapshot(em, async function* (client) {
    let text = format.head;
    for await (const rows of inBatches<Row>(client, { name: 'accounts', query: QUERY, size: BATCH_SIZE })) {
      for (const row of rows) {
        const account = {
          ...row,
          createdAt: dateOf(em, row.createdAt),
          updatedAt: dateOf(em, row.updatedAt),
        };
        text += format.write(accountRecord(account));
      }
      if (text !== '') yield text;
      text = '';
    }
  });
}
