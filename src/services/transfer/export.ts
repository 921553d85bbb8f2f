import type { EntityManager } from '@mikro-orm/postgresql';
import type { Account } from '../../domain/user.ts';
import { accountSelection } from '../../store/account-columns.ts';
import { PAGE_BYTES } from '../../store/page-bytes.ts';
import type { Reader } from '../../store/replicas/reader.ts';
import { dateOf, type RowOf, withDates } from '../../store/rows.ts';
import { inSnapshot } from '../../store/snapshot.ts';
import { type AccountFilters, filterCondition } from '../accounts/list.ts';
import { accountView } from '../accounts/view.ts';
import type { Format, WriteOptions, Writer } from './formats/index.ts';

/** How many accounts are fetched at once: at first, and at most. Fewer, once as many would have more than {@link PAGE_BYTES}. */
const FIRST_ACCOUNTS = 25;
const MAX_ACCOUNTS = 200;

type Row = RowOf<Omit<Account, 'lastSeenAt'>, 'createdAt' | 'updatedAt'> & {
  readonly lastSeenAt: string | null;
};

/** What to export, and how. Default: all accounts. */
export interface ExportOptions extends WriteOptions {
  readonly filters?: AccountFilters;
}

/**
 * Exports accounts, ordered by id, from one consistent snapshot that has all that is committed now: pieces of text, no faster than they are
 * taken. It asks the database for the first one, and lets go when they end, fail or are abandoned.
 */
export function exportAccounts(
  reader: Reader,
  format: Format,
  options: ExportOptions = {},
): AsyncGenerator<string> {
  // Whoever resynchronises takes a cursor of the feed first: what came before it must be in the export.
  return reader.stream((em) => chunks(em, format.writer(options), options.filters ?? {}), { isWhole: true });
}

function chunks(em: EntityManager, writer: Writer, filters: AccountFilters): AsyncGenerator<string> {
  const { condition, values } = filterCondition(em, filters);
  const query = `
    select ${accountSelection(em)}, nullif(last_seen_at, '-infinity') as "lastSeenAt"
      from users left join sightings on user_id = id ${condition} order by id`;
  return inSnapshot(em, async function* ({ batches }) {
    let text = writer.head;
    let size = FIRST_ACCOUNTS;
    for await (const rows of batches<Row>({ name: 'accounts', query, values, size: () => size })) {
      for (const row of rows) {
        const lastSeenAt = row.lastSeenAt === null ? null : dateOf(em, row.lastSeenAt);
        text += writer.write(accountView({ ...withDates(em, row, 'createdAt', 'updatedAt'), lastSeenAt }));
      }
      const fitting = Math.floor((PAGE_BYTES * rows.length) / (text.length + 1));
      size = Math.max(1, Math.min(fitting, 2 * size, MAX_ACCOUNTS));
      if (text !== '') yield text;
      text = '';
    }
  });
}
