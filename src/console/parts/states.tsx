import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Problem, Unreachable } from '../../client/index.ts';
import { isOnline } from '../data/api.ts';
import { viewUrl } from '../data/place.ts';
import { isAdmin } from '../data/session.ts';
import { texts } from '../texts.ts';
import { Icon, type IconName } from './icons.tsx';

/** What a view shows in place of its content. */
export function State({
  icon,
  title,
  isPage = false,
  isSmall = false,
  children,
}: {
  icon: IconName;
  title: string;
  /** Whether it is all that the view shows. */
  isPage?: boolean;
  /** Whether it is in a box among others. */
  isSmall?: boolean;
  children?: ComponentChildren;
}) {
  const Heading = isPage ? 'h1' : 'h2';
  return (
    <div class={isSmall ? 'state small' : 'state'}>
      <Icon name={icon} />
      <Heading>{title}</Heading>
      {children}
    </div>
  );
}

/** What an error says to a reader. */
export function messageOf(error: unknown): string {
  if (error instanceof Unreachable) return texts.states.unreachable;
  return error instanceof Error ? error.message : String(error);
}

/** A failed view, with a way to try again. */
export function Failed({
  error,
  retry,
  isPage = false,
}: {
  error: unknown;
  retry?: () => void;
  isPage?: boolean;
}) {
  // What could not be reached is tried again once anything can, also where that is shown later only.
  const isWaiting = useRef(true);
  const isBack = isOnline.value;
  useEffect(() => {
    const isUnanswered = error instanceof Unreachable && error.status === undefined;
    if (isBack && isWaiting.current && isUnanswered) retry?.();
    isWaiting.current = !isBack;
  }, [isBack, error, retry]);
  return (
    <div role="alert">
      <State icon="warning" title={texts.states.failed} isPage={isPage}>
        <p>{messageOf(error)}</p>
        {error instanceof Problem && <p class="mono">{texts.states.request(error.details.requestId)}</p>}
        {retry && (
          <button type="button" class="button" onClick={retry}>
            {texts.states.retry}
          </button>
        )}
      </State>
    </div>
  );
}

/** What a box has until its content is there: lines of about its size, or why it cannot be loaded. */
export function Pending({ error, retry, lines }: { error: unknown; retry: () => void; lines?: number }) {
  if (error !== undefined) return <Failed error={error} retry={retry} />;
  return (
    <div class="inside">
      <Bones {...(lines !== undefined && { lines })} />
    </div>
  );
}

/** No page is at this address. */
export function NoPage() {
  return (
    <State icon="search" title={texts.states.noPage} isPage>
      <p>{texts.states.noPageText}</p>
      <a class="button primary" href={viewUrl()}>
        {isAdmin.value ? texts.nav.overview : texts.nav.me}
      </a>
    </State>
  );
}

/** The view is for admins. */
export function Forbidden() {
  return (
    <State icon="turnedAway" title={texts.states.forbidden} isPage>
      <p>{texts.states.forbiddenText}</p>
      <a class="button" href={viewUrl('/me')}>
        {texts.nav.me}
      </a>
    </State>
  );
}

/** Lines in place of a content that is loading, of about its size. */
export function Bones({ lines = 4 }: { lines?: number }) {
  const widths = ['70%', '90%', '55%', '80%'];
  return (
    <div class="stack" role="status">
      <span class="unseen">{texts.states.loading}</span>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} class="bone" style={{ width: widths[line % widths.length] }} />
      ))}
    </div>
  );
}
