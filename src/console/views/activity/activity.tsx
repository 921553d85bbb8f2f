import { useSignal } from '@preact/signals';
import { useCallback, useEffect, useMemo, useRef } from 'preact/hooks';
import { useAccountName } from '../../data/account-names.ts';
import { useAddress } from '../../data/address.ts';
import { call } from '../../data/api.ts';
import { formatNumber, formatWholeDay } from '../../data/format.ts';
import { useShortcuts } from '../../data/keys.ts';
import { isLive, type LiveChange } from '../../data/live.ts';
import { type Pages, type PagesState, usePages } from '../../data/load.ts';
import { viewUrl } from '../../data/place.ts';
import { useWayBack } from '../../data/way-back.ts';
import { accountText } from '../../parts/account-link.tsx';
import { Choice, Filters, SearchField } from '../../parts/filters.tsx';
import { Icon } from '../../parts/icons.tsx';
import { ListEnd } from '../../parts/list-end.tsx';
import { Bones, Failed, State } from '../../parts/states.tsx';
import { askUndo } from '../../parts/undo.tsx';
import { askUndoRequest } from '../../parts/undo-request.tsx';
import { refusedFilters, type WrongFilter, WrongFilters } from '../../parts/wrong-filters.tsx';
import { activityTexts } from '../../texts/activity.ts';
import { undoRequestTexts } from '../../texts/undo-request.ts';
import { texts } from '../../texts.ts';
import { type Arrivals, useArrivals } from './arrivals.ts';
import { Entry } from './entry.tsx';
import {
  ADDRESS_NAMES,
  type AddressFilters,
  HISTORY_FIELDS,
  historyQuery,
  isAccountId,
  wrongDays,
} from './filters.ts';
import { shortcutsOf } from './shortcuts.ts';

/** The entries of a page. */
const PAGE = 50;

/** How many entries slide in at once: more would keep the browser busy, and nobody sees where they went. */
const MAX_SLIDING = 10;

const NONE = {
  actor: undefined,
  action: undefined,
  field: undefined,
  from: undefined,
  to: undefined,
  account: undefined,
  request: undefined,
} as const;

/** Everything that has been changed, by anybody, as it happens. */
export function Activity() {
  const { state, change } = useAddress<keyof AddressFilters>();
  const query = historyQuery(state);
  const key = JSON.stringify(query);
  const list = useRef<HTMLOListElement>(null);
  const load = (cursor: string | undefined, signal: AbortSignal) =>
    call('GET /v1/history', { query: { ...query, cursor, limit: `${PAGE}` }, signal });
  const kept = useWayBack<PagesState<LiveChange>>('activity', () => pages.keep());
  const pages: Pages<LiveChange> = usePages(key, load, kept);
  const arrivals = useArrivals(pages, {
    key,
    query,
    newest: async (signal) => (await load(undefined, signal)).items,
    list,
  });
  const latest = useRef(arrivals);
  latest.current = arrivals;
  const shortcuts = useMemo(
    () =>
      shortcutsOf(() => {
        const { isPaused, pause, resume } = latest.current;
        if (isPaused) resume();
        else pause();
      }),
    [],
  );
  useShortcuts(shortcuts);
  const wrong = [...wrongDays(state), ...refusedFilters(pages.error, state, ADDRESS_NAMES)];
  const isFiltered = Object.keys(NONE).some((name) => state[name as keyof AddressFilters]);
  const clear = () => change(NONE);
  const whole = query.requestId;
  const hasWhole = pages.items.some(({ requestId }) => requestId === whole);
  return (
    <>
      <header>
        <h1>{activityTexts.title}</h1>
        {whole !== undefined && hasWhole && (
          <button type="button" class="button" onClick={() => askUndoRequest(whole)}>
            <Icon name="undo" />
            {undoRequestTexts.button}
          </button>
        )}
      </header>
      <ActivityFilters
        state={state}
        onChange={change}
        wrong={new Set(wrong.map(({ name }) => name))}
        {...(isFiltered && { onClear: clear })}
      />
      {wrong.length === 0 && <LiveBar arrivals={arrivals} {...(isFiltered && { onClear: clear })} />}
      {wrong.length > 0 ? (
        <WrongFilters wrong={wrong} state={state} onLeaveOut={change} />
      ) : pages.error !== undefined && pages.items.length === 0 ? (
        <Failed error={pages.error} retry={pages.reload} />
      ) : pages.isEmpty ? (
        <section class="box">
          <State icon="activity" title={isFiltered ? activityTexts.noMatch : activityTexts.empty}>
            <p>{isFiltered ? activityTexts.noMatchText : activityTexts.emptyText}</p>
          </State>
        </section>
      ) : (
        <section class="box entries" aria-busy={pages.isLoading} aria-label={activityTexts.title}>
          {pages.items.length === 0 ? (
            <div class="inside">
              <Bones lines={12} />
            </div>
          ) : (
            <ol ref={list}>
              <Entries items={pages.items} shown={arrivals.shown} />
            </ol>
          )}
        </section>
      )}
      {wrong.length === 0 &&
        pages.items.length > 0 &&
        (pages.error !== undefined ? (
          <Failed error={pages.error} retry={pages.more} />
        ) : (
          <ListEnd pages={pages} more={activityTexts.older} end={activityTexts.end} />
        ))}
    </>
  );
}

function Entries({ items, shown }: { items: readonly LiveChange[]; shown: ReadonlySet<number> }) {
  const { search } = location;
  const addressOf = useCallback(
    (filter: 'actor' | 'request', value: string) => {
      const next = new URLSearchParams(search);
      next.set(filter, value);
      return `${viewUrl('/activity')}?${next}`;
    },
    [search],
  );
  const told = useMemo(() => namesIn(items), [items]);
  const undone = new Set(items.map(({ undoes }) => undoes));
  const slides = shown.size <= MAX_SLIDING;
  let last = '';
  return items.flatMap((change) => {
    // Not as the reader writes it: that takes long for each of thousands.
    const day = new Date(change.at).toDateString();
    const isFirst = day !== last;
    last = day;
    return [
      ...(isFirst ? [<Day key={day} time={change.at} />] : []),
      <Entry
        key={change.id}
        change={change}
        accountEmail={told.get(change.userId)}
        isNew={slides && shown.has(change.id)}
        isUndone={undone.has(change.id)}
        addressOf={addressOf}
        onUndo={askUndo}
      />,
    ];
  }) as never;
}

/** The emails of accounts, as far as entries tell them. */
function namesIn(items: readonly LiveChange[]): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  // The oldest first: the latest email of an account remains.
  for (const { userId, actorId, actor, before, after } of items.toReversed()) {
    const email = after?.email ?? before?.email ?? (actorId === userId ? actor : undefined);
    if (email !== undefined) names.set(userId, email);
  }
  return names;
}

/** The heading of the entries of a day. */
function Day({ time }: { time: string }) {
  const day = formatWholeDay(time);
  const name = recentDay(new Date(time));
  return (
    <li class="day">
      <h2>
        {name ?? day} {name && <span class="soft">{day}</span>}
      </h2>
    </li>
  );
}

/** What today and yesterday are called; `undefined` for other days. */
function recentDay(time: Date): string | undefined {
  const day = time.toDateString();
  const now = new Date();
  if (day === now.toDateString()) return activityTexts.today;
  now.setDate(now.getDate() - 1);
  return day === now.toDateString() ? activityTexts.yesterday : undefined;
}

function ActivityFilters({
  state,
  onChange,
  wrong,
  onClear,
}: {
  state: AddressFilters;
  wrong: ReadonlySet<WrongFilter['name']>;
  onChange: ReturnType<typeof useAddress<keyof AddressFilters>>['change'];
  onClear?: () => void;
}) {
  const { actor, action, field, account, request } = state;
  // A browser has no room for what is no day.
  const [from, to] = [wrong.has('from') ? undefined : state.from, wrong.has('to') ? undefined : state.to];
  const words = activityTexts.filters;
  return (
    <Filters
      search={
        <SearchField
          label={words.actor}
          value={actor ?? ''}
          onSearch={(text) => onChange({ actor: text }, true)}
        />
      }
      set={[action, field, state.from, state.to].filter(Boolean).length}
      onClear={onClear}
      elsewhere={
        <>
          {account !== undefined && (
            <AccountChip id={account} onRemove={() => onChange({ account: undefined })} />
          )}
          {request !== undefined && (
            <Chip text={words.request(request)} onRemove={() => onChange({ request: undefined })} />
          )}
        </>
      }
    >
      <Choice
        label={words.action}
        any={words.anyAction}
        options={texts.actions}
        value={action}
        onChoose={(value) => onChange({ action: value })}
      />
      <SearchField
        label={words.field}
        value={field ?? ''}
        isMain={false}
        options={HISTORY_FIELDS}
        isWrong={wrong.has('field')}
        onSearch={(text) => onChange({ field: text }, true)}
      />
      <div class="days">
        <DayField label={words.from} value={from} max={to} onChange={(day) => onChange({ from: day })} />
        <DayField label={words.to} value={to} min={from} onChange={(day) => onChange({ to: day })} />
      </div>
    </Filters>
  );
}

/** A day, between two others where these are chosen. */
function DayField({
  label,
  value = '',
  min = '',
  max = '',
  onChange,
}: {
  label: string;
  value: string | undefined;
  min?: string | undefined;
  max?: string | undefined;
  onChange: (day: string) => void;
}) {
  return (
    <label class="row">
      {label}
      <input
        class="input"
        type="date"
        value={value}
        min={min}
        max={max}
        onChange={({ currentTarget }) => onChange(currentTarget.value)}
      />
    </label>
  );
}

/** The filter by an account. */
function AccountChip({ id, onRemove }: { id: string; onRemove: () => void }) {
  const number = Number(id);
  const known = useAccountName(isAccountId(id) ? number : undefined);
  return (
    <Chip text={activityTexts.filters.account(known ? accountText(number, known) : id)} onRemove={onRemove} />
  );
}

/** A filter that was set elsewhere. */
function Chip({ text, onRemove }: { text: string; onRemove: () => void }) {
  return (
    <span class="chip">
      <bdi>{text}</bdi>
      <button type="button" class="button plain small" onClick={onRemove}>
        <Icon name="cross" />
        <span class="unseen">{activityTexts.filters.remove}</span>
      </button>
    </span>
  );
}

/** How long a stream may take to open again before that is worth a word: it does so every few minutes. In milliseconds. */
const SETTLE_MS = 5_000;

/** Whether changes arrive, how to pause them, and those that wait. It stays in sight. */
function LiveBar({ arrivals, onClear }: { arrivals: Arrivals; onClear?: () => void }) {
  const { waiting, isCapped, hidden, shown, isPaused, pause, resume } = arrivals;
  const isOff = useSignal(false);
  const wasLive = useRef(false);
  const isOpen = isLive.value;
  wasLive.current ||= isOpen;
  useEffect(() => {
    if (isOpen) {
      isOff.value = false;
      return;
    }
    const timer = setTimeout(() => {
      isOff.value = true;
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [isOpen, isOff]);
  const words = activityTexts.live;
  const [kind, text] = isPaused
    ? ['paused', words.paused]
    : isOff.value
      ? ['off', words.off]
      : isOpen || wasLive.current
        ? ['on', words.on]
        : ['connecting', words.connecting];
  return (
    <div class="live-bar">
      <button type="button" class="button small" onClick={isPaused ? resume : pause}>
        <Icon name={isPaused ? 'play' : 'pause'} />
        {isPaused ? words.resume : words.pause}
      </button>
      <span class={`live ${kind}`} role="status" data-testid="live">
        {text}
      </span>
      <span class="unseen" role="status">
        {shown.size > 0 && words.arrived(shown.size, formatNumber(shown.size))}
      </span>
      <span class="row" role="status">
        {waiting > 0 && (
          <button type="button" class="button primary small" onClick={resume}>
            <Icon name="up" />
            {words.waiting(waiting, formatNumber(waiting) + (isCapped ? '+' : ''))}
          </button>
        )}
        {hidden > 0 && onClear && (
          <>
            <span class="soft">{words.hidden(hidden, formatNumber(hidden))}</span>
            <button type="button" class="button small" onClick={onClear}>
              {texts.filters.clear}
            </button>
          </>
        )}
      </span>
    </div>
  );
}
