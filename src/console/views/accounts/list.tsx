import { useCallback, useEffect, useRef } from 'preact/hooks';
import { formatNumber } from '../../data/format.ts';
import { viewUrl } from '../../data/place.ts';
import { RoleBadge, StatusBadge } from '../../parts/badges.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Bones } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { useRowWindow } from '../../parts/window.ts';
import { texts } from '../../texts.ts';
import type { Account, Sort } from './types.ts';

/** The height of a row in `styles/accounts.css`, in pixels. */
const ROW_HEIGHT = 52;

/** The table of accounts: draws the rows that can be seen, and asks for more before the reader is at the end. */
export function AccountList({
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
  const { first, end, isPrinted } = useRowWindow(body, { rows: accounts.length, rowHeight: ROW_HEIGHT });
  // Before the reader is at the end, so that nobody waits there.
  useEffect(() => {
    if (!isPrinted && end >= accounts.length - 30) onEnd();
  }, [end, isPrinted, accounts.length, onEnd]);
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
                name="lastSeenAt"
                sort={sort}
                onSort={onSort}
                label={texts.accounts.columns.lastSeenAt}
                className="time"
              />
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
      {hasMore && accounts.length > 0 && (
        <p class="only-printed soft">{texts.accounts.printed(formatNumber(accounts.length))}</p>
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
  name: 'email' | 'createdAt' | 'lastSeenAt';
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
  const { id, name, email, role, roleUntil, status, storageMode, createdAt, lastSeenAt } = account;
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
        <div>
          <a href={viewUrl(`/accounts/${id}`)}>
            <bdi>{name ?? email}</bdi>
            {name !== null && <bdi class="soft">{email}</bdi>}
          </a>
          <span class="small-only">
            {role !== 'user' && <RoleBadge role={role} until={roleUntil} />}
            {status !== 'active' && <StatusBadge status={status} />}
          </span>
        </div>
      </td>
      <td class="narrow">
        <RoleBadge role={role} until={roleUntil} />
      </td>
      <td class="narrow">
        <StatusBadge status={status} />
      </td>
      <td class="narrow wide soft">{texts.storageModes[storageMode]}</td>
      <td class="time">
        {lastSeenAt === null ? texts.accounts.never : <Time at={lastSeenAt} as="age" onPaper="day" />}
      </td>
      <td class="time">
        <Time at={createdAt} as="day" />
      </td>
    </tr>
  );
}
