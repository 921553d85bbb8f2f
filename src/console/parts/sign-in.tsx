import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Unreachable } from '../../client/index.ts';
import { discardWrites, hasSessionEnded, isWriteWaiting } from '../data/api.ts';
import { iconUrl, viewUrl } from '../data/place.ts';
import {
  changeByLink,
  linkCode,
  loadSession,
  me,
  providerName,
  providerUrl,
  refusedBecause,
  session,
  signInByApp,
  signInByLink,
} from '../data/session.ts';
import { useTitle } from '../data/title.ts';
import { texts } from '../texts.ts';
import { Confirm } from './confirm.tsx';
import { Copied } from './copied.tsx';
import { Dialog } from './dialog.tsx';
import { Icon } from './icons.tsx';
import { messageOf } from './states.tsx';
import { sayFault } from './toasts.tsx';

/** The ways in, in the place of the page. */
export function SignInPage() {
  return (
    <Alone title={texts.session.title} text={texts.session.admin}>
      <Doors />
    </Alone>
  );
}

/** No page is at this address, for whoever is not signed in. */
export function LostPage() {
  return (
    <Alone title={texts.states.noPage} text={texts.states.noPageText}>
      <a class="button primary" href={viewUrl()}>
        {texts.session.title}
      </a>
    </Alone>
  );
}

/** A page for whoever is not signed in. */
function Alone({ title, text, children }: { title: string; text: string; children: ComponentChildren }) {
  useTitle(title);
  return (
    <main class="alone">
      <div class="box">
        <p class="brand">
          <img src={iconUrl()} alt="" />
          {texts.product}
        </p>
        <h1>{title}</h1>
        <p class="soft">{text}</p>
        {children}
      </div>
    </main>
  );
}

/** The ways in, over a page whose session has ended: what was typed there stays. */
export function SignInDialog() {
  // Before it is known who is signed in, nothing has ended.
  if (!hasSessionEnded.value || me.value === undefined) return null;
  return (
    <Dialog title={texts.session.title} onClose={() => undefined} mayClose={false}>
      <div class="body">
        <h2>{texts.session.title}</h2>
        <Ended>
          <Doors staysHere />
        </Ended>
      </div>
    </Dialog>
  );
}

/** What becomes of what was begun: a write that was confirmed need not wait for the next sign-in. */
function Ended({ children }: { children: ComponentChildren }) {
  const isDiscarded = useSignal(false);
  const note = useRef<HTMLParagraphElement>(null);
  // The button is gone: the focus goes to what says so.
  useEffect(() => {
    if (isDiscarded.value) note.current?.focus();
  }, [isDiscarded.value]);
  return (
    <>
      <p ref={note} class="note" tabIndex={-1}>
        {isDiscarded.value ? texts.session.discarded : texts.session.ended}
      </p>
      {children}
      {isWriteWaiting.value && (
        <div class="row end">
          <button
            type="button"
            class="button"
            onClick={() => {
              discardWrites();
              isDiscarded.value = true;
            }}
          >
            {texts.session.discard}
          </button>
        </div>
      )}
    </>
  );
}

/** Asks whoever is signed in and opens a link from the command line, which may be for another account. */
export function LinkDialog() {
  const code = linkCode.value;
  if (code === undefined || hasSessionEnded.value || me.value === undefined) return null;
  return (
    <Confirm
      title={texts.session.linkTitle}
      label={texts.session.withLink}
      isDanger={false}
      run={() => changeByLink(code).catch(sayRefusal)}
      onClose={() => {
        linkCode.value = undefined;
      }}
    >
      <p>
        {texts.session.linkText} <bdi>{me.value.email}</bdi>.
      </p>
    </Confirm>
  );
}

/** The link works no more, and the question about it is gone: says why. What did not arrive can be tried again there. */
function sayRefusal(error: unknown): void {
  if (error instanceof Unreachable) throw error;
  sayFault(error);
}

function refusal(): string | undefined {
  const code = refusedBecause.value;
  return code && (texts.session.refused[code] ?? texts.session.notCompleted);
}

/** With `staysHere`, the page stays while somebody signs in at the provider, in another tab. */
function Doors({ staysHere = false }: { staysHere?: boolean }) {
  const isBusy = useSignal(false);
  const fault = useSignal(refusal());
  useEffect(() => {
    if (!staysHere) return;
    const look = () => void (document.visibilityState === 'visible' && loadSession());
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, [staysHere]);
  const enter = (way: () => Promise<void>) => async () => {
    isBusy.value = true;
    fault.value = undefined;
    try {
      await way();
    } catch (error) {
      fault.value = messageOf(error);
    }
    isBusy.value = false;
  };
  const code = linkCode.value;
  const email = session.value?.doors.authjs?.email;
  return (
    <div class="stack">
      {fault.value !== undefined && (
        <p class="note bad" role="alert">
          <Icon name="warning" />
          {fault.value}
        </p>
      )}
      {code !== undefined && (
        <>
          <p>{texts.session.linkReady}</p>
          <button
            type="button"
            class="button primary"
            disabled={isBusy.value}
            onClick={enter(() => signInByLink(code))}
          >
            {texts.session.withLink}
          </button>
        </>
      )}
      {providerUrl.value && (
        <a class="button primary" href={providerUrl.value} {...(staysHere && { target: '_blank' })}>
          {texts.session.withProvider(providerName.value ?? '')}
        </a>
      )}
      {email && (
        <button type="button" class="button primary" disabled={isBusy.value} onClick={enter(signInByApp)}>
          {texts.session.withApp} ({email})
        </button>
      )}
      {code === undefined && (
        <div class="stack">
          <p class="soft">{texts.session.linkHelp}</p>
          <Copied text={texts.session.command} />
        </div>
      )}
    </div>
  );
}
