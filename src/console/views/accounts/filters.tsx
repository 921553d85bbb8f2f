import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { Choice, Filters, SearchField } from '../../parts/filters.tsx';
import { texts } from '../../texts.ts';
import type { Filters as Values } from './types.ts';

/** What of the list to show. */
export function FilterBar({
  filters,
  onFilter,
}: {
  filters: Values;
  /** With `isTyping`, more will follow: the address is replaced, so that the back button does not go through each letter. */
  onFilter: (values: { [Key in keyof Values]?: string | undefined }, isTyping?: boolean) => void;
}) {
  const { q, role, status, storageMode } = filters;
  const others = [filters.domain, filters.createdSince, filters.seenSince ?? filters.seenBefore].filter(
    Boolean,
  );
  const isMore = useSignal(others.length > 0);
  const id = useId();
  const words = texts.accounts.filters;
  return (
    <Filters
      search={
        <SearchField label={texts.accounts.search} value={q ?? ''} onSearch={(q) => onFilter({ q }, true)} />
      }
      set={[role, status, storageMode].filter(Boolean).length + others.length}
      onClear={
        isFiltered(filters)
          ? () => onFilter(Object.fromEntries(Object.keys(filters).map((key) => [key, undefined])))
          : undefined
      }
    >
      <Choice
        label={words.role}
        any={words.anyRole}
        options={texts.roles}
        value={role}
        onChoose={(role) => onFilter({ role })}
      />
      <Choice
        label={words.status}
        any={words.anyStatus}
        options={texts.statuses}
        value={status}
        onChoose={(status) => onFilter({ status })}
      />
      <Choice
        label={words.storageMode}
        any={words.anyStorage}
        options={texts.storageModes}
        value={storageMode}
        onChoose={(storageMode) => onFilter({ storageMode })}
      />
      <button
        type="button"
        class="button plain more"
        aria-expanded={isMore.value}
        aria-controls={id}
        onClick={() => {
          isMore.value = !isMore.value;
        }}
      >
        {isMore.value ? words.fewer : words.more}
      </button>
      <div id={id} class={isMore.value ? 'others open' : 'others'}>
        <SearchField
          label={words.domain}
          value={filters.domain ?? ''}
          onSearch={(domain) => onFilter({ domain }, true)}
          isMain={false}
        />
        <Choice
          label={texts.accounts.columns.createdAt}
          any={words.anyCreated}
          options={words.created}
          value={choiceOf(CREATED, filters)}
          onChoose={(name) => onFilter({ createdSince: undefined, ...valuesOf(CREATED, name) })}
        />
        <Choice
          label={texts.accounts.columns.lastSeenAt}
          any={words.anySeen}
          options={words.seen}
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
    </Filters>
  );
}

/** Some days ago, at midnight of the reader: the same address means the same list all day. */
function daysAgo(days: number): string {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - days);
  return day.toISOString();
}

type Choices = Readonly<Record<string, () => Values>>;

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

function valuesOf(choices: Choices, name: string): Values {
  return choices[name]?.() ?? {};
}

/** The choice that the filters come from; `undefined` where an address has others. */
function choiceOf(choices: Choices, filters: Values): string | undefined {
  return Object.keys(choices).find((name) =>
    Object.entries(valuesOf(choices, name)).every(
      ([key, value]) => key === 'sort' || filters[key as keyof Values] === value,
    ),
  );
}

/** Whether the list is not of everybody. */
export function isFiltered({ sort: _, ...filters }: Values): boolean {
  return Object.values(filters).some((value) => value !== undefined && value !== '');
}
