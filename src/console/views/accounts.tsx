import { type Signal, useSignal } from '@preact/signals';
import { useCallback, useEffect, useMemo, useRef } from 'preact/hooks';
import type { Answered, QueryOf } from '../../client/client.ts';
import { useAddress } from '../data/address.ts';
import { call } from '../data/api.ts';
import { formatNumber } from '../data/format.ts';
import { type Shortcut, useShortcuts } from '../data/keys.ts';
import { onChange } from '../data/live.ts';
import { useLoaded, usePages } from '../data/load.ts';
import { viewUrl } from '../data/place.ts';
import { RoleBadge, StatusBadge } from '../parts/badges.tsx';
import { CreateAccount } from '../parts/create-account.tsx';
import { Choice, SearchField } from '../parts/filters.tsx';
import { Icon } from '../parts/icons.tsx';
import { Bones, Failed, State } from '../parts/states.tsx';
import { Time } from '../parts/time.tsx';
import { useRowWindow } from '../parts/window.ts';
import { texts } from '../texts.ts';

type Account = Answered<'GET /v1/users'>['items'][number];
type Sort = NonNullable<QueryOf<'GET /v1/users'>['sort']>;
type Filters = Pick<QueryOf<'GET /v1/users'>, 'q' | 'role' | 'status' | 'storageMode' | 'sort'>;

/** The rows of a page: enough for a screen, and quick. */
const PAGE = 100;

/** The height of a row in `styles/accounts.css`, in pixels. */
const ROW_HEIGHT = 52;

/** All accounts: search, filters, order, selection. */
export function Accounts() {
  const { state, change } = useAddress<'q' | 'role' | 'status' | 'storageMode' | 'sort'>();
  const filters = state as Filters;
  const key = JSON.stringify([filters.q, filters.role, filters.status, filters.storageMode, filters.sort]);
  const pages = usePages(key, (cursor, signal) =>
    call('GET /v1/users', { query: { ...filters, cursor, limit: `${PAGE}` }, signal }),
  );
  const counted = useLoaded(key, (signal) =>
    call('GET /v1/users', { query: { ...filters, total: 'true', limit: '1' }, signal }),
  );
  const picked = useSignal<ReadonlySet<number>>(new Set());
  // Another list has other accounts.
  useEffect(() => {
    picked.value = new Set();
  }, [key]);
  useEffect(
    () =>
      onChange(({ userId, action, after, version }) => {
        pages.edit((items) =>
          items.flatMap((item) => {
            if (item.id !== userId || version <= item.version) return [item];
            if (action === 'deleted') return [];
            const { preferences: _, ...values } = after ?? {};
            return [{ ...item, ...values, version } as Account];
          }),
        );
      }),
    [pages.edit],
  );
  const isCreating = useSignal(false);
  const create = useCallback(() => {
    isCreating.value = true;
  }, [isCreating]);
  useShortcuts(useMemo(() => shortcutsOf(picked, create), [picked, create]));
  const total = counted.data?.total;
  const isFiltered = Boolean(filters.q ?? filters.role ?? filters.status ?? filters.storageMode);
  return (
    <>
      <header>
        <h1>
          {texts.accounts.title}{' '}
          {total && (
            <span class="soft" data-testid="total">
              {texts.accounts.total(formatNumber(total.count), total.capped)}
            </span>
          )}
        </h1>
        <button type="button" class="button primary" onClick={create}>
          <Icon name="plus" />
          {texts.accounts.create}
        </button>
      </header>
      <div class="filters">
        <SearchField
          label={texts.accounts.search}
          value={filters.q ?? ''}
          onSearch={(q) => change({ q }, true)}
        />
        <Choice
          label={texts.accounts.filters.role}
          any={texts.accounts.filters.anyRole}
          options={texts.roles}
          value={filters.role}
          onChoose={(role) => change({ role })}
        />
        <Choice
          label={texts.accounts.filters.status}
          any={texts.accounts.filters.anyStatus}
          options={texts.statuses}
          value={filters.status}
          onChoose={(status) => change({ status })}
        />
        <Choice
          label={texts.accounts.filters.storageMode}
          any={texts.accounts.filters.anyStorage}
          options={texts.storageModes}
          value={filters.storageMode}
          onChoose={(storageMode) => change({ storageMode })}
        />
        {isFiltered && (
          <button
            type="button"
            class="button plain"
            onClick={() =>
              change({ q: undefined, role: undefined, status: undefined, storageMode: undefined })
            }
          >
            {texts.accounts.filters.clear}
          </button>
        )}
      </div>
      {pages.error !== undefined && pages.items.length === 0 ? (
        <Failed error={pages.error} retry={pages.reload} />
      ) : pages.isEmpty ? (
        <section class="box">
          <State icon="accounts" title={isFiltered ? texts.accounts.noMatch : texts.accounts.empty}>
            <p>{isFiltered ? texts.accounts.noMatchText : texts.accounts.emptyText}</p>
          </State>
        </section>
      ) : (
        <List
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
      {isCreating.value && (
        <CreateAccount
          onClose={() => {
            isCreating.value = false;
          }}
          onCreated={() => {
            pages.reload();
            counted.reload();
          }}
        />
      )}
    </>
  );
}

/** The keys of the list. The account at hand is the one whose link has the focus. */
function shortcutsOf(picked: Signal<ReadonlySet<number>>, create: () => void): readonly Shortcut[] {
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
    { key: 'n', label: texts.keys.create, run: create },
  ];
}

function List({
  accounts,
  isLoading,
  hasMore,
  onEnd,
  sort,
  onSort,
  picked,
  onPick,
}: {
  accounts: readonly Account[];
  isLoading: boolean;
  hasMore: boolean;
  onEnd: () => void;
  sort: Sort;
  onSort: (sort: Sort) => void;
  picked: ReadonlySet<number>;
  onPick: (ids: ReadonlySet<number>) => void;
}) {
  const body = useRef<HTMLTableSectionElement>(null);
  const { first, end } = useRowWindow(body, { rows: accounts.length, rowHeight: ROW_HEIGHT });
  // Before the reader is at the end, so that nobody waits there.
  useEffect(() => {
    if (end >= accounts.length - 30) onEnd();
  }, [end, accounts.length, onEnd]);
  const pick = useCallback(
    (id: number, isPicked: boolean) => {
      const ids = new Set(picked);
      if (isPicked) ids.add(id);
      else ids.delete(id);
      onPick(ids);
    },
    [picked, onPick],
  );
  const areAllPicked = accounts.length > 0 && accounts.every(({ id }) => picked.has(id));
  return (
    <section class="box list" aria-busy={isLoading}>
      {accounts.length === 0 ? (
        <div class="inside">
          <Bones lines={8} />
        </div>
      ) : (
        <table aria-rowcount={hasMore ? -1 : accounts.length + 1}>
          <caption class="unseen">{texts.accounts.title}</caption>
          <thead>
            <tr>
              <th class="pick" scope="col">
                <input
                  type="checkbox"
                  aria-label={texts.accounts.selectAll}
                  checked={areAllPicked}
                  onChange={() => onPick(areAllPicked ? new Set() : new Set(accounts.map(({ id }) => id)))}
                />
              </th>
              <SortedColumn name="email" sort={sort} onSort={onSort} label={texts.accounts.columns.name} />
              <th scope="col" class="narrow">
                {texts.accounts.columns.role}
              </th>
              <th scope="col" class="narrow">
                {texts.accounts.columns.status}
              </th>
              <th scope="col" class="narrow wide">
                {texts.accounts.columns.storageMode}
              </th>
              <SortedColumn
                name="createdAt"
                sort={sort}
                onSort={onSort}
                label={texts.accounts.columns.createdAt}
                className="time"
              />
            </tr>
          </thead>
          <tbody ref={body}>
            {first > 0 && <Gap rows={first} />}
            {accounts.slice(first, end).map((account, index) => (
              <Row
                key={account.id}
                account={account}
                index={first + index + 2}
                isPicked={picked.has(account.id)}
                onPick={pick}
              />
            ))}
            {end < accounts.length && <Gap rows={accounts.length - end} />}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** The room of rows that are not drawn. */
function Gap({ rows }: { rows: number }) {
  return (
    <tr class="gap">
      <td style={{ height: `${rows * ROW_HEIGHT}px` }} />
    </tr>
  );
}

function SortedColumn({
  name,
  label,
  sort,
  onSort,
  className = '',
}: {
  name: 'email' | 'createdAt';
  label: string;
  sort: Sort;
  onSort: (sort: Sort) => void;
  className?: string;
}) {
  const direction = sort === name ? 'ascending' : sort === `-${name}` ? 'descending' : 'none';
  return (
    <th scope="col" class={className} aria-sort={direction}>
      <button
        type="button"
        class="row"
        onClick={() => onSort(direction === 'descending' ? name : `-${name}`)}
      >
        {label}
        {direction !== 'none' && <Icon name={direction === 'ascending' ? 'up' : 'down'} />}
      </button>
    </th>
  );
}

function Row({
  account,
  index,
  isPicked,
  onPick,
}: {
  account: Account;
  index: number;
  isPicked: boolean;
  onPick: (id: number, isPicked: boolean) => void;
}) {
  const { id, name, email, role, status, storageMode, createdAt } = account;
  return (
    <tr aria-rowindex={index} class={isPicked ? 'picked' : ''} data-id={id}>
      <td class="pick">
        <input
          type="checkbox"
          aria-label={texts.accounts.select(email)}
          checked={isPicked}
          onChange={({ currentTarget }) => onPick(id, currentTarget.checked)}
        />
      </td>
      <td class="who">
        <a href={viewUrl(`/accounts/${id}`)}>
          <bdi>{name ?? email}</bdi>
          {name !== null && <bdi class="soft">{email}</bdi>}
        </a>
        <span class="small-only row">
          {role !== 'user' && <RoleBadge role={role} />}
          {status !== 'active' && <StatusBadge status={status} />}
        </span>
      </td>
      <td class="narrow">
        <RoleBadge role={role} />
      </td>
      <td class="narrow">
        <StatusBadge status={status} />
      </td>
      <td class="narrow wide soft">{texts.storageModes[storageMode]}</td>
      <td class="time">
        <Time at={createdAt} as="day" />
      </td>
    </tr>
  );
}
