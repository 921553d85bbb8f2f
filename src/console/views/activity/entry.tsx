import type { LiveChange } from '../../data/live.ts';
import { AccountLink } from '../../parts/account-link.tsx';
import { Actor } from '../../parts/actor.tsx';
import { Diff } from '../../parts/diff.tsx';
import { Icon, type IconName } from '../../parts/icons.tsx';
import { memo } from '../../parts/memo.ts';
import { Reason } from '../../parts/reason.tsx';
import { Time } from '../../parts/time.tsx';
import { activityTexts } from '../../texts/activity.ts';
import { history } from '../../texts/history.ts';

const ICONS = { created: 'plus', updated: 'activity', deleted: 'cross' } as const satisfies Record<
  LiveChange['action'],
  IconName
>;

/** An entry of the history: who did what to whom and when, with before and after. */
export const Entry = memo(function Entry({
  change,
  accountEmail,
  isNew,
  isUndone,
  addressOf,
  onUndo,
}: {
  change: LiveChange;
  /** The account's email, where entries have it. */
  accountEmail: string | undefined;
  /** Whether it has just arrived. */
  isNew: boolean;
  isUndone: boolean;
  /** The address of this view with another filter. */
  addressOf: (filter: 'actor' | 'request', value: string) => string;
  onUndo: (change: LiveChange) => void;
}) {
  const { id, at, actor, requestId, userId, action, before, after, undoes, erasedAt, reason } = change;
  return (
    <li class={isNew ? 'entry new' : 'entry'} data-id={id}>
      <div class="unfold">
        <article aria-labelledby={`change-${id}`}>
          <span class={`mark ${undoes === null ? action : 'undo'}`}>
            <Icon name={undoes === null ? ICONS[action] : 'undo'} />
          </span>
          <div class="what">
            <p id={`change-${id}`}>
              <a class="actor" href={addressOf('actor', actor)} title={activityTexts.byActor}>
                <Actor name={actor} />
              </a>{' '}
              {activityTexts.verbs[action]} <AccountLink id={userId} email={accountEmail} />
            </p>
            {erasedAt === null ? (
              <Diff before={before} after={after} limit={action === 'updated' ? 8 : 3} />
            ) : (
              <p class="soft">{history.erased}</p>
            )}
            <Reason text={reason} />
            <p class="soft small row">
              <Time at={at} />
              {requestId === null ? (
                <span>{activityTexts.noRequest}</span>
              ) : (
                <a class="soft mono" href={addressOf('request', requestId)} title={activityTexts.byRequest}>
                  <span class="unseen">{activityTexts.request} </span>
                  {requestId}
                </a>
              )}
              {undoes !== null && <span class="badge">{activityTexts.undid(undoes)}</span>}
              {isUndone && <span class="badge">{activityTexts.isUndone}</span>}
            </p>
          </div>
          {erasedAt === null && (
            <button type="button" class="button plain small" data-undo onClick={() => onUndo(change)}>
              <Icon name="undo" />
              {history.undo}
              <span class="unseen"> {activityTexts.change(id)}</span>
            </button>
          )}
        </article>
      </div>
    </li>
  );
});
