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

/** Whether the list is not of everybody. */
export function isFiltered({ sort: _, ...filters }: Filters): boolean {
  return Object.values(filters).some((value) => value !== undefined && value !== '');
}
