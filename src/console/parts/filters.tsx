import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { texts } from '../texts.ts';
import { Icon } from './icons.tsx';

/** How long typing pauses before a search, in milliseconds. */
const PAUSE_MS = 180;

/** What of a list to show: on a phone, the filters beside the search are behind a button that counts those that are set. */
export function Filters({
  search,
  set,
  onClear,
  children,
  elsewhere,
}: {
  search: ComponentChildren;
  /** How many of the filters are set. */
  set: number;
  /** Unsets all of them, where there is one. */
  onClear?: (() => void) | undefined;
  children: ComponentChildren;
  /** Filters that were set elsewhere, which stay in sight. */
  elsewhere?: ComponentChildren;
}) {
  const isOpen = useSignal(false);
  const id = useId();
  return (
    <search class="filters" aria-label={texts.filters.title}>
      {search}
      <button
        type="button"
        class="button unfold-filters"
        aria-expanded={isOpen.value}
        aria-controls={id}
        onClick={() => {
          isOpen.value = !isOpen.value;
        }}
      >
        <Icon name="filter" />
        {texts.filters.title}
        {set > 0 && (
          <span class="badge accent">
            {set}
            <span class="unseen"> {texts.filters.set}</span>
          </span>
        )}
      </button>
      <div id={id} class={isOpen.value ? 'folded open' : 'folded'}>
        {children}
      </div>
      {elsewhere}
      {onClear && (
        <button type="button" class="button plain" onClick={onClear}>
          {texts.filters.clear}
        </button>
      )}
    </search>
  );
}

/** A field that searches as one types. */
export function SearchField({
  label,
  value,
  onSearch,
  isMain = true,
  options,
  isWrong = false,
}: {
  label: string;
  value: string;
  onSearch: (text: string) => void;
  /** Whether the key `/` goes there. */
  isMain?: boolean;
  /** What to suggest. */
  options?: readonly string[];
  /** Whether the text means nothing. */
  isWrong?: boolean;
}) {
  const typed = useSignal(value);
  const sent = useRef(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(null);
  const id = useId();
  // The address may change by other ways than by typing here; what is being typed stays.
  useEffect(() => {
    if (value !== sent.current) typed.value = value;
    sent.current = value;
  }, [value, typed]);
  useEffect(() => () => clearTimeout(timer.current ?? undefined), []);
  return (
    <span class="search">
      <input
        class="input"
        type="search"
        dir="auto"
        {...(isMain && { 'data-search': true })}
        {...(options && { list: `${id}-options` })}
        {...(isWrong && { 'aria-invalid': true })}
        aria-label={label}
        placeholder={label}
        value={typed.value}
        maxLength={255}
        onInput={({ currentTarget }) => {
          typed.value = currentTarget.value;
          clearTimeout(timer.current ?? undefined);
          timer.current = setTimeout(() => {
            sent.current = typed.value.trim();
            onSearch(sent.current);
          }, PAUSE_MS);
        }}
      />
      {options && (
        <datalist id={`${id}-options`}>
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      )}
    </span>
  );
}

/** A choice among a few values, or none of them. */
export function Choice({
  label,
  any,
  options,
  value,
  onChoose,
}: {
  label: string;
  /** What no choice is called; without it, one must be made. */
  any?: string;
  options: Readonly<Record<string, string>>;
  value: string | undefined;
  onChoose: (value: string) => void;
}) {
  return (
    <select
      class="input"
      aria-label={label}
      value={value ?? ''}
      onChange={({ currentTarget }) => onChoose(currentTarget.value)}
    >
      {any !== undefined && <option value="">{any}</option>}
      {/* An address may have another one, which is wrong. */}
      {value && !Object.hasOwn(options, value) && <option value={value}>{value}</option>}
      {Object.entries(options).map(([name, text]) => (
        <option key={name} value={name}>
          {text}
        </option>
      ))}
    </select>
  );
}
