import type { LiveChange } from '../../data/live.ts';
import { viewUrl } from '../../data/place.ts';
import { AccountLink } from '../../parts/account-link.tsx';
import { Actor } from '../../parts/actor.tsx';
import { ChangeMark } from '../../parts/change-mark.tsx';
import { Diff } from '../../parts/diff.tsx';
import { Icon } from '../../parts/icons.tsx';
import { memo } from '../../parts/memo.ts';
import { Reason } from '../../parts/reason.tsx';
import { RequestLink } from '../../parts/request-link.tsx';
import { Time } from '../../parts/time.tsx';
import { activityTexts } from '../../texts/activity.ts';
import { history } from '../../texts/history.ts';

/** An entry of the history: who did what to which account, the time of day, with before and after. */
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
  const { id, at, actor, actorId, requestId, userId, action, before, after, undoes, erasedAt, reason } =
    change;
  return (
    <li class={isNew ? 'entry new' : 'entry'} data-id={id}>
      <div class="unfold">
        <article aria-labelledby={`change-${id}`}>
          <ChangeMark change={change} />
          <div class="what">
            <p id={`change-${id}`}>
              <a class="actor" href={addressOf('actor', actor)} title={activityTexts.byActor}>
                <Actor name={actor} />
              </a>{' '}
              {activityTexts.verbs[action]}{' '}
              {actorId === userId ? (
                <a href={viewUrl(`/accounts/${userId}`)}>{activityTexts.ownAccount}</a>
              ) : (
                <AccountLink id={userId} email={accountEmail} />
              )}
              {undoes !== null && <span class="badge">{activityTexts.undid(undoes)}</span>}
              {isUndone && <span class="badge">{activityTexts.isUndone}</span>}
            </p>
            {erasedAt === null ? (
              <Diff before={before} after={after} limit={action === 'updated' ? 8 : 3} />
            ) : (
              <p class="soft">{history.erased}</p>
            )}
            <Reason text={reason} />
          </div>
          <p class="aside soft">
            <Time at={at} as="time" />
            <span>
              {requestId !== null && <RequestLink id={requestId} href={addressOf('request', requestId)} />}
            </span>
            {erasedAt === null && (
              <button type="button" class="button plain small" data-undo onClick={() => onUndo(change)}>
                <Icon name="undo" />
                {history.undo}
                <span class="unseen"> {activityTexts.change(id)}</span>
              </button>
            )}
          </p>
        </article>
      </div>
    </li>
  );
});
