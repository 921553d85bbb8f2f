import type { EntityManager } from '@mikro-orm/postgresql';
import { type AccountState, applyChange, type Change } from '../../domain/change.ts';
import { asStored } from '../../domain/preferences.ts';
import { refusals } from '../../domain/refusals.ts';
import type { Account } from '../../domain/user.ts';
import { CHANGE_COLUMNS, CHANGE_VALUES, type ChangeRow, changeOf } from '../../store/change-rows.ts';
import { isCutOff, type Measured, unmeasured, withinBytes } from '../../store/page-bytes.ts';
import { runAlone } from '../../store/statements.ts';

/** How many entries one query reads at most, and how many bytes of values, see {@link withinBytes}. */
const MAX_PAGE_SIZE = 1_000;
const PAGE_BYTES = 512 * 1024;

/** How many entries the first query measures: enough for most accounts. */
const FIRST_PAGE_SIZE = 64;

const PAGE = withinBytes(
  `select ${CHANGE_COLUMNS} from changes
    where user_id = $1 and at < $2 and (at, id) > ($3, $4)
    order by at, id limit $5`,
  { order: 'at, id', columns: CHANGE_VALUES, limit: PAGE_BYTES },
);

/** Where a page begins, and how many entries are measured for it. */
interface Place {
  readonly after: readonly [at: string, id: string];
  readonly size: number;
}

/**
 * The history of an account up to a moment, oldest first, as `viewOf` shows each entry. Only a page of views is in memory,
 * however long the history is. Times leave as whole milliseconds, so the moment includes all of its millisecond.
 */
export async function* historyOf<View>(
  em: EntityManager,
  id: number,
  moment: Date,
  viewOf: (change: Change) => View,
): AsyncGenerator<View> {
  const end = new Date(moment.getTime() + 1);
  let place: Place | undefined = { after: ['-infinity', '0'], size: FIRST_PAGE_SIZE };
  while (place !== undefined) {
    // By another function, so that a caller who takes its time keeps no rows in memory.
    const page: { views: View[]; next: Place | undefined } = await readPage(em, id, end, place, viewOf);
    yield* page.views;
    place = page.next;
  }
}

async function readPage<View>(
  em: EntityManager,
  id: number,
  end: Date,
  { after, size }: Place,
  viewOf: (change: Change) => View,
) {
  const rows = await runAlone<ChangeRow & Measured>(em, { text: PAGE, values: [id, end, ...after, size] });
  const views = rows.map((row) => viewOf(changeOf(em, unmeasured(row))));
  const last = rows.at(-1);
  const isWhole = !isCutOff(rows);
  if (last === undefined || (isWhole && rows.length < size)) return { views, next: undefined };
  // Measuring reads an entry whole: few more than this page had room for, many where all had room.
  const nextSize = Math.min(MAX_PAGE_SIZE, isWhole ? 4 * size : 2 * rows.length);
  return { views, next: { after: [last.at, last.id], size: nextSize } satisfies Place };
}

/**
 * The account as it was at a moment, replayed from its history. Throws `not_found` where it did not exist then, and `erased`
 * where its values have been erased since.
 */
export async function accountAt(em: EntityManager, id: number, moment: Date): Promise<Account> {
  let state: AccountState | undefined;
  let last: Change | undefined;
  let createdAt: Date | undefined;
  for await (const change of historyOf(em, id, moment, (change) => change)) {
    if (change.erasedAt !== null) throw refusals.erased();
    state = applyChange(state, change);
    last = change;
    if (change.action === 'created') createdAt = dateOf(state?.createdAt) ?? change.at;
  }
  if (state === undefined || last === undefined || createdAt === undefined) {
    throw refusals.notFound('account with this id at that time');
  }
  const { version, at: updatedAt } = last;
  return {
    roleUntil: null,
    ...state,
    preferences: asStored(state.preferences),
    id,
    version,
    createdAt,
    updatedAt,
  };
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
