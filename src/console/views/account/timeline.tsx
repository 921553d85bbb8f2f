import { useSignal } from '@preact/signals';
import { useCallback, useEffect, useId, useRef } from 'preact/hooks';
import { fieldOfTime, formatExact, timeOfField } from '../../data/format.ts';
import type { LiveChange } from '../../data/live.ts';
import type { Pages } from '../../data/load.ts';
import { viewUrl } from '../../data/place.ts';
import { Actor, actorText } from '../../parts/actor.tsx';
import { ChangeMark } from '../../parts/change-mark.tsx';
import { Diff } from '../../parts/diff.tsx';
import { Icon } from '../../parts/icons.tsx';
import { memo } from '../../parts/memo.ts';
import { Reason } from '../../parts/reason.tsx';
import { RequestLink } from '../../parts/request-link.tsx';
import { Bones, Failed } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { askUndo } from '../../parts/undo.tsx';
import { account } from '../../texts/account.ts';
import { texts as shared } from '../../texts.ts';

const texts = account.timeline;

/** How many entries the slider loads before it asks whether to load more. */
const MOST_AT_ONCE = 1_000;

/** All that happened to an account, newest first, with a slider through it. */
export function Timeline({
  history,
  at,
  onAt,
}: {
  history: Pages<LiveChange>;
  /** The time that is looked at; now, if there is none. */
  at: string | undefined;
  onAt: (at: string | undefined) => void;
}) {
  const { items, isLoading, hasMore, error, more, reload } = history;
  const [newest] = items;
  const seen = useRef<number>(undefined);
  seen.current ??= newest?.version;
  // The same function for all entries at all times, so that they are not drawn again.
  const latest = useRef(onAt);
  latest.current = onAt;
  const showThen = useCallback((time: string) => latest.current(time), []);
  const chosen = at === undefined ? items[0] : items.find((item) => item.at <= at);
  return (
    <section class="box timeline" aria-labelledby="timeline">
      <header>
        <h2 id="timeline">{texts.title}</h2>
      </header>
      {/* What happens meanwhile is also heard. */}
      <p class="unseen" role="status">
        {newest && newest.version !== seen.current
          ? texts.news(shared.actions[newest.action], actorText(newest.actor), newest.version)
          : ''}
      </p>
      {items.length === 0 ? (
        <div class="inside">
          {error === undefined ? <Bones lines={10} /> : <Failed error={error} retry={reload} />}
        </div>
      ) : (
        <>
          <Slider history={history} at={at} onAt={onAt} />
          <ol aria-busy={isLoading}>
            {items.map((item) => (
              <Entry
                key={item.id}
                entry={item}
                isChosen={at !== undefined && item.id === chosen?.id}
                onThen={showThen}
              />
            ))}
          </ol>
          {error !== undefined && <Failed error={error} retry={more} />}
          {hasMore && error === undefined && (
            <div class="inside">
              <button type="button" class="button" disabled={isLoading} onClick={more}>
                {texts.more}
              </button>
            </div>
          )}
        </>
      )}
    </section>
  );
}

/**
 * A step for each version, loaded or not. Going to one that is not loaded loads the changes up to it, {@link MOST_AT_ONCE} at a time. A
 * time in the address loads nothing.
 */
function Slider({
  history: { items, hasMore, isLoading, error, more },
  at,
  onAt,
}: {
  history: Pages<LiveChange>;
  at: string | undefined;
  onAt: (at: string | undefined) => void;
}) {
  const id = useId();
  // Where the reader has gone before the change there is loaded.
  const wanted = useSignal<number | undefined>(undefined);
  const most = useSignal(0);
  const slider = useRef<HTMLInputElement>(null);
  const asked = useRef(at);
  const [newest, oldest] = [items[0], items.at(-1)] as [LiveChange, LiveChange];
  // An adopted account's history begins at a later version.
  const first = hasMore ? 1 : oldest.version;
  const stop = at === undefined ? newest : items.find((item) => item.at <= at);
  const isBehind = hasMore && wanted.value !== undefined && wanted.value < oldest.version;
  const isComing = isBehind && error === undefined && items.length < most.value;
  useEffect(() => {
    if (isComing && !isLoading) more();
  }, [isComing, isLoading, more]);
  const goOn = () => {
    most.value = items.length + MOST_AT_ONCE;
  };
  const move = (version: number) => {
    const item = items.find((one) => one.version <= version);
    wanted.value = item === undefined ? version : undefined;
    if (item === undefined) return goOn();
    asked.current = item === newest ? undefined : item.at;
    onAt(asked.current);
  };
  // Another time was chosen meanwhile, and not here.
  useEffect(() => {
    if (at !== asked.current) wanted.value = undefined;
  }, [at]);
  useEffect(() => {
    if (wanted.value !== undefined && !isBehind) move(Math.max(wanted.value, oldest.version));
  }, [isBehind, wanted.value]);
  return (
    <div class="travel" aria-busy={isComing}>
      <label class="unseen" for={id}>
        {texts.slider}
      </label>
      <input
        ref={slider}
        id={id}
        type="range"
        min={first}
        max={newest.version}
        step={1}
        value={wanted.value ?? (stop ?? oldest).version}
        disabled={first === newest.version}
        aria-valuetext={
          wanted.value !== undefined
            ? isComing
              ? texts.earlier(wanted.value)
              : texts.version(wanted.value)
            : stop
              ? texts.stop(
                  formatExact(stop.at),
                  stop.version,
                  shared.actions[stop.action],
                  actorText(stop.actor),
                )
              : hasMore
                ? texts.unloaded
                : texts.wasNot
        }
        onInput={({ currentTarget }) => move(Number(currentTarget.value))}
      />
      <div class="row">
        <span class="soft">
          {wanted.value !== undefined ? (
            texts.version(wanted.value)
          ) : at === undefined ? (
            texts.now
          ) : (
            <>
              <Time at={at} as="exact" />
              {!stop && hasMore && `, ${texts.unloaded}`}
            </>
          )}
        </span>
        {isBehind && !isComing && error === undefined && (
          <button
            type="button"
            class="button small"
            onClick={() => {
              // The button goes away, the slider says what happens.
              slider.current?.focus();
              goOn();
            }}
          >
            {texts.more}
          </button>
        )}
        <label class="moment">
          <span class="unseen">{texts.moment}</span>
          <input
            class="input"
            type="datetime-local"
            step={1}
            value={at === undefined ? '' : fieldOfTime(at)}
            onChange={({ currentTarget }) => onAt(timeOfField(currentTarget.value))}
          />
        </label>
      </div>
    </div>
  );
}

const Entry = memo(function Entry({
  entry,
  isChosen,
  onThen,
}: {
  entry: LiveChange;
  isChosen: boolean;
  /** Shows the account as it was at a time. */
  onThen: (at: string) => void;
}) {
  const {
    id,
    userId,
    action,
    actor,
    actorId,
    at,
    before,
    after,
    version,
    requestId,
    undoes,
    erasedAt,
    reason,
  } = entry;
  return (
    <li id={`change-${id}`} class={isChosen ? 'event chosen' : 'event'} data-id={id}>
      <ChangeMark change={entry} />
      <div class="head">
        <p>
          <strong>{shared.actions[action]}</strong>{' '}
          {actorId === userId ? (
            <span title={actorText(actor)}>{texts.byItself}</span>
          ) : (
            <>
              {texts.by} <Actor name={actor} />
            </>
          )}
          {undoes !== null && (
            <a class="badge accent" href={`#change-${undoes}`}>
              <Icon name="undo" />
              {texts.undoes(undoes)}
            </a>
          )}
        </p>
        <span class="soft">
          <Time at={at} as="short" />
        </span>
      </div>
      {erasedAt === null ? <Diff before={before} after={after} /> : <p class="soft">{texts.erased}</p>}
      <Reason text={reason} />
      <div class="row foot soft">
        <span title={texts.change(id)}>{texts.version(version)}</span>
        {requestId !== null && (
          <RequestLink
            id={requestId}
            href={viewUrl(`/activity?${new URLSearchParams({ request: requestId })}`)}
          />
        )}
        <span class="row">
          <button type="button" class="button plain small" onClick={() => onThen(at)}>
            <Icon name="clock" />
            {texts.showThen}
          </button>
          {erasedAt === null && (
            <button type="button" class="button plain small" onClick={() => askUndo(entry)}>
              <Icon name="undo" />
              {texts.undo}
            </button>
          )}
        </span>
      </div>
    </li>
  );
});
