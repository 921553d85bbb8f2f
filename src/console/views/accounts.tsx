import { type Signal, useSignal } from '@preact/signals';
import { useCallback, useEffect, useMemo, useRef } from 'preact/hooks';
import { useAddress } from '../data/address.ts';
import { call } from '../data/api.ts';
import { useCommands } from '../data/commands.ts';
import { exportAccounts } from '../data/download.ts';
import { formatNumber } from '../data/format.ts';
import { type Shortcut, useShortcuts } from '../data/keys.ts';
import { onChanges, useMissed } from '../data/live.ts';
import { type Pages, useLoaded, usePages } from '../data/load.ts';
import { useWayBack } from '../data/way-back.ts';
import { Icon } from '../parts/icons.tsx';
import { Failed, State } from '../parts/states.tsx';
import { sayFault } from '../parts/toasts.tsx';
import { refusedFilters, WrongFilters } from '../parts/wrong-filters.tsx';
import { bulk } from '../texts/bulk.ts';
import { texts } from '../texts.ts';
import { BulkBar, MOST } from './accounts/bulk.tsx';
import { askToCreate, created } from './accounts/create.tsx';
import { FilterBar, isFiltered } from './accounts/filters.tsx';
import { changed, type KeptList, LIST, leaveList, returnToList } from './accounts/kept.ts';
import { AccountList } from './accounts/list.tsx';
import { type Account, type Filters, filtersOf, LARGEST_PAGE, PAGE, type Total } from './accounts/types.ts';

/** All accounts: search, filters, order, selection. */
export function Accounts() {
  const { state, change } = useAddress<keyof Filters>();
  const filters = filtersOf(state);
  const key = JSON.stringify(filters);
  const left: KeptList | undefined = useWayBack(LIST, () => leaveList(pages.keep(), picked.peek()));
  const kept: KeptList | undefined = useMemo(() => returnToList(left), []);
  const takesAll = useSignal(false);
  const pages: Pages<Account> = usePages(
    key,
    (cursor, signal) =>
      call('GET /v1/users', {
        query: { ...filters, cursor, limit: `${takesAll.peek() ? LARGEST_PAGE : PAGE}` },
        signal,
      }),
    kept?.pages,
  );
  const counted = useLoaded(key, (signal) =>
    call('GET /v1/users', { query: { ...filters, total: 'true', limit: '1' }, signal }),
  );
  const picked: Signal<ReadonlySet<number>> = useSignal(
    (kept?.pages.key === key && kept.picked) || new Set(),
  );
  const pickedOf = useRef(key);
  // Another list has other accounts.
  useEffect(() => {
    if (pickedOf.current !== key) picked.value = new Set();
    pickedOf.current = key;
  }, [key, picked]);
  useChanges(pages, counted.refresh);
  const count = created.value;
  const shown = useRef(count);
  useEffect(() => {
    if (shown.current === count) return;
    shown.current = count;
    pages.refresh();
    counted.reload();
  }, [count, pages.refresh, counted.reload]);
  useShortcuts(useMemo(() => shortcutsOf(picked), [picked]));
  const wrong = refusedFilters(pages.error, filters);
  useCommands(
    wrong.length > 0
      ? []
      : [
          {
            icon: 'down',
            label: texts.accounts.export,
            run: () => exportAccounts({ ...filters, format: 'csv' }).catch(sayFault),
          },
        ],
  );
  const total = counted.data?.total;
  return (
    <>
      <header>
        <h1>
          {`${texts.accounts.title} `}
          {total && (
            <span class="soft" data-testid="total">
              {texts.accounts.total(formatNumber(total.count), total.capped)}
            </span>
          )}
        </h1>
        <button type="button" class="button primary" onClick={askToCreate}>
          <Icon name="plus" />
          {texts.accounts.create}
        </button>
      </header>
      <FilterBar filters={filters} onFilter={change} />
      {wrong.length > 0 ? (
        <WrongFilters wrong={wrong} state={filters} onLeaveOut={change} />
      ) : pages.error !== undefined && pages.items.length === 0 ? (
        <Failed error={pages.error} retry={pages.reload} />
      ) : pages.isEmpty ? (
        <section class="box">
          <State icon="accounts" title={isFiltered(filters) ? texts.accounts.noMatch : texts.accounts.empty}>
            <p>{isFiltered(filters) ? texts.accounts.noMatchText : texts.accounts.emptyText}</p>
          </State>
        </section>
      ) : (
        <AccountList
          accounts={pages.items}
          isLoading={pages.isLoading}
          hasMore={pages.hasMore}
          onEnd={pages.more}
          sort={filters.sort ?? '-createdAt'}
          onSort={(sort) => change({ sort: sort === '-createdAt' ? undefined : sort })}
          picked={picked.value}
          onPick={(ids) => {
            picked.value = ids;
          }}
        />
      )}
      {pages.error !== undefined && pages.items.length > 0 && (
        <Failed error={pages.error} retry={pages.more} />
      )}
      {picked.value.size > 0 && (
        <BulkBar
          accounts={pages.items.filter(({ id }) => picked.value.has(id))}
          others={othersOf(pages, picked.value, total)}
          onAll={async () => {
            takesAll.value = true;
            const all = await pages.loadAll(MOST).finally(() => {
              takesAll.value = false;
            });
            picked.value = new Set(all.slice(0, MOST).map(({ id }) => id));
          }}
          onDone={() => {
            picked.value = new Set();
            pages.refresh();
            counted.reload();
          }}
          onClear={() => {
            picked.value = new Set();
          }}
        />
      )}
    </>
  );
}

/** The accounts beyond those that are loaded, once all of these are selected. */
function othersOf({ items, hasMore }: Pages<Account>, picked: ReadonlySet<number>, total: Total | undefined) {
  if (!hasMore || total === undefined || picked.size >= MOST || !items.every(({ id }) => picked.has(id)))
    return undefined;
  const isCapped = total.capped || total.count > MOST;
  return { text: isCapped ? bulk.first(formatNumber(MOST)) : bulk.all(formatNumber(total.count)) };
}

/** How long changes are gathered before they are shown together, in milliseconds: a bulk change makes thousands. */
const SHOW_MS = 100;

/** How long changes are gathered before the list is read again, in milliseconds: an import makes thousands a second. */
const GATHER_MS = 2_000;

/** How far down a page is still at its top, in pixels. */
const TOP_PX = 80;

/** Shows the changes of others as they happen; who is new, gone or no longer in the list, a little later and where nothing moves that is being read. */
function useChanges({ edit, refresh }: Pages<Account>, recount: () => void): void {
  const read = useCallback(() => {
    recount();
    if (scrollY < TOP_PX && !document.querySelector('tr[data-id] :focus-visible')) refresh();
  }, [recount, refresh]);
  useMissed(read);
  useEffect(() => {
    const endShowing = onChanges((changes) => {
      const last = new Map(changes.map((change) => [change.userId, change]));
      edit((accounts) => changed(accounts, last));
    }, SHOW_MS);
    const endReading = onChanges(read, GATHER_MS);
    return () => {
      endShowing();
      endReading();
    };
  }, [edit, read]);
}

/** The keys of the list. The account at hand is the one whose link has the focus. */
function shortcutsOf(picked: Signal<ReadonlySet<number>>): readonly Shortcut[] {
  const rowAtHand = () => document.activeElement?.closest<HTMLElement>('tr[data-id]');
  const move = (step: 'nextElementSibling' | 'previousElementSibling') => {
    const row = rowAtHand();
    const next = row ? row[step] : document.querySelector('tr[data-id]');
    next?.querySelector<HTMLElement>('a')?.focus();
  };
  return [
    {
      key: '/',
      label: texts.keys.search,
      run: () => document.querySelector<HTMLInputElement>('input[data-search]')?.select(),
    },
    { key: 'j', label: texts.keys.next, run: () => move('nextElementSibling') },
    { key: 'k', label: texts.keys.previous, run: () => move('previousElementSibling') },
    { key: 'Enter', label: texts.keys.open },
    {
      key: 'x',
      label: texts.keys.select,
      run: () => {
        const id = Number(rowAtHand()?.dataset['id'] ?? Number.NaN);
        if (Number.isNaN(id)) return;
        const ids = new Set(picked.peek());
        if (!ids.delete(id)) ids.add(id);
        picked.value = ids;
      },
    },
    {
      key: 'Escape',
      label: texts.keys.unselect,
      run: () => {
        picked.value = new Set();
      },
    },
    { key: 'n', label: texts.keys.create, run: askToCreate },
  ];
}
