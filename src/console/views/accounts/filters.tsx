import { useMemo } from 'preact/hooks';
import { Choice, SearchField } from '../../parts/filters.tsx';
import { texts } from '../../texts.ts';
import type { Filters } from './types.ts';

/** What of the list to show. */
export function FilterBar({
  filters,
  onFilter,
}: {
  filters: Filters;
  /** With `isTyping`, more will follow: the address is replaced, so that the back button does not go through each letter. */
  onFilter: (values: { [Key in keyof Filters]?: string | undefined }, isTyping?: boolean) => void;
}) {
  const { q, role, status, storageMode } = filters;
  const hasMore = useMemo(
    () => isFiltered({ ...filters, q: '', role: undefined, status: undefined, storageMode: undefined }),
    [],
  );
  return (
    <div class="filters">
      <SearchField label={texts.accounts.search} value={q ?? ''} onSearch={(q) => onFilter({ q }, true)} />
      <Choice
        label={texts.accounts.filters.role}
        any={texts.accounts.filters.anyRole}
        options={texts.roles}
        value={role}
        onChoose={(role) => onFilter({ role })}
      />
      <Choice
        label={texts.accounts.filters.status}
        any={texts.accounts.filters.anyStatus}
        options={texts.statuses}
        value={status}
        onChoose={(status) => onFilter({ status })}
      />
      <Choice
        label={texts.accounts.filters.storageMode}
        any={texts.accounts.filters.anyStorage}
        options={texts.storageModes}
        value={storageMode}
        onChoose={(storageMode) => onFilter({ storageMode })}
      />
      <details class="more" open={hasMore}>
        <summary class="button plain">{texts.accounts.filters.more}</summary>
        <div class="filters">
          <SearchField
            label={texts.accounts.filters.domain}
            value={filters.domain ?? ''}
            onSearch={(domain) => onFilter({ domain }, true)}
            isMain={false}
          />
          <Choice
            label={texts.accounts.columns.createdAt}
            any={texts.accounts.filters.anyCreated}
            options={texts.accounts.filters.created}
            value={choiceOf(CREATED, filters)}
            onChoose={(name) => onFilter({ createdSince: undefined, ...valuesOf(CREATED, name) })}
          />
          <Choice
            label={texts.accounts.columns.lastSeenAt}
            any={texts.accounts.filters.anySeen}
            options={texts.accounts.filters.seen}
            value={choiceOf(SEEN, filters)}
            onChoose={(name) =>
              onFilter({
                seenSince: undefined,
                seenBefore: undefined,
                sort: undefined,
                ...valuesOf(SEEN, name),
              })
            }
          />
        </div>
      </details>
      {isFiltered(filters) && (
        <button
          type="button"
          class="button plain"
          onClick={() => onFilter(Object.fromEntries(Object.keys(filters).map((key) => [key, undefined])))}
        >
          {texts.accounts.filters.clear}
        </button>
      )}
    </div>
  );
}

/** Some days ago, at midnight of the reader: the same address means the same list all day. */
function daysAgo(days: number): string {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - days);
  return day.toISOString();
}

type Choices = Readonly<Record<string, () => Filters>>;

/** By the names of the choices, the filters that they stand for. */
const CREATED: Choices = {
  week: () => ({ createdSince: daysAgo(7) }),
  month: () => ({ createdSince: daysAgo(30) }),
  quarter: () => ({ createdSince: daysAgo(90) }),
};

/** In the order in which such a list is quick, however many accounts there are. */
const SEEN: Choices = {
  week: () => ({ seenSince: daysAgo(7), sort: '-lastSeenAt' }),
  month: () => ({ seenSince: daysAgo(30), sort: '-lastSeenAt' }),
  notMonth: () => ({ seenBefore: daysAgo(30), sort: 'lastSeenAt' }),
  notQuarter: () => ({ seenBefore: daysAgo(90), sort: 'lastSeenAt' }),
};

function valuesOf(choices: Choices, name: string): Filters {
  return choices[name]?.() ?? {};
}

/** The choice that the filters come from; `undefined` where an address has others. */
function choiceOf(choices: Choices, filters: Filters): string | undefined {
  return Object.keys(choices).find((name) =>
    Object.entries(valuesOf(choices, name)).every(
      ([key, value]) => key === 'sort' || filters[key as keyof Filters] === value,
    ),
  );
}

/** Whether the list is not of everybody. */
export function isFiltered({ sort: _, ...filters }: Filters): boolean {
  return Object.values(filters).some((value) => value !== undefined && value !== '');
}
