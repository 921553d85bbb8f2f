import type { EntityManager } from '@mikro-orm/postgresql';
import { type AccountState, applyChange, type Change } from '../../domain/change.ts';
import { asStored } from '../../domain/preferences.ts';
import { refusals } from '../../domain/refusals.ts';
import type { Account } from '../../domain/user.ts';
import { CHANGE_COLUMNS, type ChangeRow, changeOf } from '../../store/change-rows.ts';
import { readRows } from '../../store/rows.ts';

/** How many entries one query reads: few accounts have more, and the memory must be bounded. */
const BATCH_SIZE = 1_000;

const BATCH = `
  select ${CHANGE_COLUMNS} from changes
   where user_id = $1 and at < $2 and (at, id) > ($3, $4)
   order by at, id limit ${BATCH_SIZE}`;

/**
 * The history of an account up to a moment, oldest first. Times leave as whole milliseconds, so the moment includes all of
 * its millisecond. One query, unless the history is very long.
 */
export async function* historyOf(em: EntityManager, id: number, moment: Date): AsyncGenerator<Change> {
  const end = new Date(moment.getTime() + 1);
  let position: [at: string, id: string] = ['-infinity', '0'];
  for (;;) {
    const rows = await readRows<ChangeRow>(em, { text: BATCH, values: [id, end, ...position] });
    for (const row of rows) yield changeOf(em, row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH_SIZE) return;
    position = [last.at, last.id];
  }
}

/**
 * The account as it was at a moment, replayed from its history. Throws `not_found` where it did not exist then, and `erased`
 * where its values have been erased since.
 */
export async function accountAt(em: EntityManager, id: number, moment: Date): Promise<Account> {
  let state: AccountState | undefined;
  let last: Change | undefined;
  let createdAt: Date | undefined;
  for await (const change of historyOf(em, id, moment)) {
    if (change.erasedAt !== null) throw refusals.erased();
    state = applyChange(state, change);
    last = change;
    if (change.action === 'created') createdAt = dateOf(state?.createdAt) ?? change.at;
  }
  if (state === undefined || last === undefined || createdAt === undefined) {
    throw refusals.notFound('account with this id at that time');
  }
  const { version, at: updatedAt } = last;
  return { ...state, preferences: asStored(state.preferences), id, version, createdAt, updatedAt };
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
