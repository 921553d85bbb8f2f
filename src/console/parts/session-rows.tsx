import type { ComponentChildren } from 'preact';
import type { Answered } from '../../client/index.ts';
import { browserOf } from '../data/browser-name.ts';
import { meTexts } from '../texts/me.ts';
import { Time } from './time.tsx';

const texts = meTexts.sessions;

/** A session of the console. */
export type SessionItem = Answered<'GET /v1/me/sessions'>['items'][number];

/** The browser of a session in words. */
export function browserText({ userAgent }: SessionItem): string {
  const { browser, system } = browserOf(userAgent ?? '');
  return browser && system ? texts.browser(browser, system) : (browser ?? system ?? texts.unknown);
}

/** A session in a list: the browser, its address, when it was used. */
export function SessionRow({
  session,
  who,
  onEnd,
  isBusy,
}: {
  session: SessionItem;
  /** Whose it is, where that is not clear. */
  who?: ComponentChildren;
  onEnd: () => void;
  isBusy: boolean;
}) {
  const { door, address, userAgent, lastUsedAt, expiresAt, isCurrent } = session;
  const browser = browserText(session);
  return (
    <li class="item">
      <div>
        {who}
        <p class="row">
          <span title={userAgent ?? ''}>{browser}</span>
          {isCurrent && <span class="badge accent">{texts.current}</span>}
        </p>
        <p class="soft small-text">
          {[address, texts.doors[door] ?? door].filter(Boolean).join(', ')} · {texts.lastUsed}{' '}
          <Time at={lastUsedAt} as="age" /> ·{' '}
          <span class="unbroken">
            {texts.ends} <Time at={expiresAt} as="short" />
          </span>
        </p>
      </div>
      <button
        type="button"
        class="button small"
        aria-label={texts.endThat(browser)}
        disabled={isBusy}
        onClick={onEnd}
      >
        {texts.end}
      </button>
    </li>
  );
}
