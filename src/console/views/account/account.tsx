import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { isProblem } from '../../../client/index.ts';
import { type Account as AccountData, useAccount, type WatchedAccount } from '../../data/account.ts';
import { useAddress } from '../../data/address.ts';
import { type Command, useCommands } from '../../data/commands.ts';
import { timeIn } from '../../data/format.ts';
import type { LiveChange } from '../../data/live.ts';
import { viewUrl } from '../../data/place.ts';
import { useTitle } from '../../data/title.ts';
import { wantBack } from '../../data/way-back.ts';
import { RoleBadge, StatusBadge } from '../../parts/badges.tsx';
import { copy } from '../../parts/copy.ts';
import { Icon } from '../../parts/icons.tsx';
import { Name } from '../../parts/name.tsx';
import { Bones, Failed, State } from '../../parts/states.tsx';
import { askUndo } from '../../parts/undo.tsx';
import { account as texts } from '../../texts/account.ts';
import type { ViewProps } from '../../views.tsx';
import { LIST, listQuery } from '../accounts/kept.ts';
import { Acts } from './acts.tsx';
import { Details } from './details.tsx';
import { Identities } from './identities.tsx';
import { Past } from './past.tsx';
import { Preferences } from './preferences.tsx';
import { Timeline } from './timeline.tsx';

/** One account: what it is, what it was, and what may be done with it. */
export function Account({ id = '' }: ViewProps) {
  return <OneAccount key={id} id={id} />;
}

function OneAccount({ id }: { id: string }) {
  const { account, history, deletion } = useAccount(id);
  const { state, change } = useAddress<'at'>();
  // An address may say anything.
  const at = state.at && timeIn(state.at);
  const showAt = (at: string | undefined) => change({ at }, true);
  const { data } = account;
  useTitle(nameOf(data ?? deletion?.before) ?? texts.title(id));
  useCommands(commandsOf(data ?? deletion?.before ?? undefined, id, history.items[0]));
  const title = useRef<HTMLHeadingElement>(null);
  const isDeleted = deletion !== undefined;
  const wasDeleted = useRef(isDeleted);
  // What was pressed is gone with a deletion, and with what takes it back.
  useLayoutEffect(() => {
    if (wasDeleted.current !== isDeleted && document.activeElement === document.body) title.current?.focus();
    wasDeleted.current = isDeleted;
  }, [isDeleted]);
  if (data === undefined || deletion) {
    if (account.isLoading && data === undefined && account.error === undefined) return <Loading id={id} />;
    if (!deletion) {
      // Of a deleted account, the history answers.
      if (history.isLoading && history.items.length === 0) return <Loading id={id} />;
      return <Missing id={id} account={account} history={history} />;
    }
  }
  return (
    <>
      <Back />
      {state.at && at === undefined && (
        <p class="note" role="alert">
          <Icon name="warning" />
          <span>
            {texts.timeline.noMoment}{' '}
            <button type="button" class="button small" onClick={() => showAt(undefined)}>
              {texts.timeline.backToNow}
            </button>
          </span>
        </p>
      )}
      {deletion ? (
        <DeletedHead deletion={deletion} title={title} />
      ) : (
        data && <Head account={data} title={title} />
      )}
      <div class={deletion && at === undefined ? 'account gone' : 'account'}>
        <div class="stack">
          {at !== undefined && (
            <Past
              id={id}
              at={at}
              now={deletion ? undefined : data}
              onNow={() => {
                showAt(undefined);
                // The button is gone.
                document.querySelector<HTMLElement>('.travel input')?.focus();
              }}
            />
          )}
          {data && !deletion && (
            // What is being typed stays while the reader looks at the past.
            <div class="stack" hidden={at !== undefined}>
              <Details account={data} onSaved={account.replace} />
              <Preferences account={data} onSaved={account.replace} />
              <Identities account={data} />
              <Acts account={data} onSaved={account.replace} />
            </div>
          )}
        </div>
        <Timeline history={history} at={at} onAt={showAt} />
      </div>
    </>
  );
}

/** Why an account is not shown, of which there is no deletion either. */
function Missing({ id, account, history }: { id: string } & Pick<WatchedAccount, 'account' | 'history'>) {
  const isGone = isProblem(account.error, 'not_found');
  if (isGone && isProblem(history.error, 'not_found')) {
    return (
      <State icon="search" title={texts.none(id)} isPage>
        <p>{texts.noneText}</p>
        <a class="button primary" href={viewUrl('/accounts')}>
          {texts.back}
        </a>
      </State>
    );
  }
  // Of what could not be loaded alone: the answer of the other would have it tried again and again.
  const { error, reload } = isGone && history.error !== undefined ? history : account;
  return (
    <>
      <Back />
      <h1 class="unseen">{texts.title(id)}</h1>
      <Failed error={error} retry={reload} />
    </>
  );
}

function Back() {
  return (
    <a class="row back" href={viewUrl(`/accounts${listQuery()}`)} onClick={() => wantBack(LIST)}>
      <Icon name="left" />
      {texts.back}
    </a>
  );
}

/** What the palette offers for an account, beside its acts. */
function commandsOf(
  account: { readonly email?: string | undefined } | undefined,
  id: string,
  last: LiveChange | undefined,
): readonly Command[] {
  const email = account?.email;
  const { undoLast, copyEmail, copyId, copied } = texts.commands;
  return [
    ...(last !== undefined && last.erasedAt === null
      ? [
          {
            icon: 'undo',
            label: last.action === 'deleted' ? texts.restore : undoLast,
            run: () => askUndo(last),
          } as const,
        ]
      : []),
    ...(email === undefined
      ? []
      : [
          {
            icon: 'copy',
            label: copyEmail,
            soft: email,
            run: () => void copy(email, copied(email)),
          } as const,
        ]),
    { icon: 'copy', label: copyId, soft: id, run: () => void copy(id, copied(id)) },
  ];
}

/** What an account is called. */
function nameOf(account: LiveChange['before'] | AccountData | undefined): string | undefined {
  return account?.name ?? account?.email;
}

function Head({
  account: { name, email, role, roleUntil, status },
  title,
}: {
  account: AccountData;
  title: RefObject<HTMLHeadingElement | null>;
}) {
  return (
    <header>
      <div class="who">
        <h1 ref={title} tabIndex={-1}>
          <Name text={name ?? email} />
        </h1>
        <p class="row">
          {name !== null && <Name text={email} isSoft />}
          <RoleBadge role={role} until={roleUntil} as="moment" />
          <StatusBadge status={status} />
        </p>
      </div>
    </header>
  );
}

function DeletedHead({
  deletion,
  title,
}: {
  deletion: LiveChange;
  title: RefObject<HTMLHeadingElement | null>;
}) {
  const { before, userId, erasedAt } = deletion;
  return (
    <>
      <header>
        <div class="who">
          <h1 ref={title} tabIndex={-1}>
            <Name text={before?.name ?? before?.email ?? `${texts.id} ${userId}`} />
          </h1>
          <p class="row">
            {before?.name && before.email && <Name text={before.email} isSoft />}
            <span class="badge bad">
              <Icon name="cross" />
              {texts.deleted}
            </span>
          </p>
        </div>
        {erasedAt === null && (
          <button type="button" class="button primary" onClick={() => askUndo(deletion)}>
            <Icon name="undo" />
            {texts.restore}
          </button>
        )}
      </header>
      <p class="note">
        <Icon name="warning" />
        {erasedAt === null ? texts.deletedAt : texts.erasedAt}
      </p>
    </>
  );
}

function Loading({ id }: { id: string }) {
  return (
    <>
      <Back />
      <h1 class="unseen">{texts.title(id)}</h1>
      <header>
        <div class="who loading">
          <Bones lines={2} />
        </div>
      </header>
      <div class="account">
        <section class="box">
          <div class="inside">
            <Bones lines={9} />
          </div>
        </section>
        <section class="box">
          <div class="inside">
            <Bones lines={12} />
          </div>
        </section>
      </div>
    </>
  );
}
