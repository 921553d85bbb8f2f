import type { EntityManager } from '@mikro-orm/postgresql';
import { type AccountState, applyChange, type Change } from '../../domain/change.ts';
import { DomainError } from '../../domain/errors.ts';
import { asKept } from '../../domain/preferences.ts';
import type { Account } from '../../domain/user.ts';
import { CHANGE_COLUMNS, type ChangeRow, changeOf } from '../../store/change-rows.ts';
import { readRows } from '../../store/rows.ts';

/** How many entries are read at once: hardly an account has more, and what it has must not fill the memory. */
const BATCH_SIZE = 1_000;

const BATCH = `
  select ${CHANGE_COLUMNS} from changes
   where user_id = $1 and at < $2 and (at, id) > ($3, $4)
   order by at, id limit ${BATCH_SIZE}`;

/**
 * All that has befallen an account up to a moment, the oldest first; times leave as whole milliseconds, and so the
 * moment is all of its millisecond. In one query, unless there is very much of it.
 */
export async function* historyOf(em: EntityManager, id: number, moment: Date): AsyncGenerator<Change> {
  const end = new Date(moment.getTime() + 1);
  let place: [at: string, id: string] = ['-infinity', '0'];
  for (;;) {
    const rows = await readRows<ChangeRow>(em, { text: BATCH, values: [id, end, ...place] });
    for (const row of rows) yield changeOf(em, row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH_SIZE) return;
    place = [last.at, last.id];
  }
}

/**
 * The account as it was at a moment, from its history. Throws `not_found` where there was none, not yet or not any more,
 * and `erased` where what it was has been erased since.
 */
export async function accountAt(em: EntityManager, id: number, moment: Date): Promise<Account> {
  let state: AccountState | undefined;
  let last: Change | undefined;
  let createdAt: Date | undefined;
  for await (const change of historyOf(em, id, moment)) {
    if (change.erasedAt !== null) throw new DomainError('erased', 'What there was has been erased.');
    state = applyChange(state, change);
    last = change;
    if (change.action === 'created') createdAt = dateOf(state?.createdAt) ?? change.at;
  }
  if (state === undefined || last === undefined || createdAt === undefined) {
    throw new DomainError('not_found', 'There was no such account at that time.');
  }
  const { version, at: updatedAt } = last;
  return { ...state, preferences: asKept(state.preferences), id, version, createdAt, updatedAt };
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
