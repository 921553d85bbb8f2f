import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { type Answered, Problem } from '../../client/index.ts';
import { call } from '../data/api.ts';
import { formatNumber } from '../data/format.ts';
import { onChanges, tell } from '../data/live.ts';
import { useLoaded, usePages } from '../data/load.ts';
import { viewUrl } from '../data/place.ts';
import { copy } from '../parts/copy.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icons.tsx';
import { ListEnd } from '../parts/list-end.tsx';
import { Name } from '../parts/name.tsx';
import { Bones, Failed, State } from '../parts/states.tsx';
import { Time } from '../parts/time.tsx';
import { say, sayFault } from '../parts/toasts.tsx';
import { sayChanged } from '../parts/undo.tsx';
import { turnedAwayTexts as texts } from '../texts/turned-away.ts';
import { texts as shared } from '../texts.ts';

type Refused = Answered<'GET /v1/access/refused'>['items'][number];
type Access = Answered<'GET /v1/access'>;

/** Who wanted to come in and was refused, why, and what to do about it. */
export function TurnedAway() {
  const access = useLoaded('', (signal) => call('GET /v1/access', { signal }));
  const pages = usePages('', (cursor, signal) =>
    call('GET /v1/access/refused', { query: { cursor, limit: '100' }, signal }),
  );
  const domain = useSignal<string | undefined>(undefined);
  const invited = useInvited(pages.refresh);
  const refused = access.data?.refused;
  return (
    <>
      <header>
        <h1>
          {texts.title}{' '}
          <span class="soft sum">
            {refused && texts.total(formatNumber(refused.people), formatNumber(refused.attempts))}
          </span>
        </h1>
        <button
          type="button"
          class="button"
          disabled={pages.isLoading}
          onClick={() => {
            pages.reload();
            access.reload();
          }}
        >
          {texts.refresh}
        </button>
      </header>
      <Policy access={access.data} error={access.error} />
      {pages.error !== undefined && pages.items.length === 0 ? (
        <Failed error={pages.error} retry={pages.reload} />
      ) : pages.isEmpty ? (
        <section class="box">
          <State icon="check" title={texts.empty}>
            <p>{texts.emptyText}</p>
          </State>
        </section>
      ) : (
        <section class="box refused" aria-busy={pages.isLoading}>
          {pages.items.length === 0 ? (
            <div class="inside">
              <Bones lines={8} />
            </div>
          ) : (
            <>
              <Reasons items={pages.items} />
              <table>
                <caption class="unseen">{texts.title}</caption>
                <thead>
                  <tr>
                    <th scope="col">{texts.columns.email}</th>
                    <th scope="col">{texts.columns.reason}</th>
                    <th scope="col">{texts.columns.count}</th>
                    <th scope="col">{texts.columns.lastAt}</th>
                    <td />
                  </tr>
                </thead>
                <tbody>
                  {pages.items.map((item) => (
                    <Row
                      key={`${item.reason} ${item.email}`}
                      item={item}
                      accountId={invited.get(item.email)}
                      policy={access.data?.policy}
                      onAllow={() => {
                        domain.value = domainOf(item.email);
                      }}
                    />
                  ))}
                </tbody>
              </table>
            </>
          )}
        </section>
      )}
      {pages.items.length > 0 &&
        (pages.error !== undefined ? (
          <Failed error={pages.error} retry={pages.more} />
        ) : (
          <ListEnd pages={pages} more={texts.refresh} />
        ))}
      {domain.value !== undefined && access.data && (
        <DomainDialog
          domain={domain.value}
          access={access.data}
          onClose={() => {
            domain.value = undefined;
          }}
        />
      )}
    </>
  );
}

/** How long changes are gathered before they are shown together, in milliseconds: a bulk change makes thousands. */
const GATHER_MS = 100;

/** The accounts that were created while the list is shown, by their emails, whoever created them. */
function useInvited(refresh: () => void): ReadonlyMap<string, number> {
  const invited = useSignal<ReadonlyMap<string, number>>(new Map());
  useEffect(
    () =>
      onChanges((changes) => {
        const next = new Map(invited.peek());
        let isOther = false;
        for (const { userId, action, before, after } of changes) {
          if (action === 'created' && after?.email !== undefined) next.set(after.email, userId);
          else if (action === 'deleted' && before?.email !== undefined) next.delete(before.email);
          // The service leaves out who may come in again.
          else isOther ||= after?.status !== undefined || after?.email !== undefined;
        }
        invited.value = next;
        if (isOther) refresh();
      }, GATHER_MS),
    [invited, refresh],
  );
  return invited.value;
}

function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1);
}

/** The policy in force, and the settings that decide it. */
function Policy({ access, error }: { access: Access | undefined; error: unknown }) {
  // The list says it too.
  if (access === undefined && error !== undefined) return null;
  return (
    <section class="box policy">
      <header>
        <h2>{texts.policy.title}</h2>
        {access && <span class="badge accent">{access.policy}</span>}
      </header>
      <div class="inside stack tight">
        {access === undefined ? (
          <Bones lines={2} />
        ) : (
          <>
            <p>{texts.policy[access.policy]}</p>
            {access.domains.length > 0 && (
              <ul class="row">
                {access.domains.map((domain) => (
                  <li key={domain} class="badge">
                    <bdi>{domain}</bdi>
                  </li>
                ))}
              </ul>
            )}
            <p class="soft">
              {texts.policy.setting} <code>ACCESS_POLICY</code>
              {access.policy === 'domains' && (
                <>
                  , <code>ACCESS_DOMAINS</code>
                </>
              )}
              .
            </p>
          </>
        )}
      </div>
    </section>
  );
}

function reasonId(reason: Refused['reason']): string {
  return `reason-${reason}`;
}

/** What was wrong with those that are shown, each reason once, and what to do about it. */
function Reasons({ items }: { items: readonly Refused[] }) {
  return (
    <dl class="reasons">
      {[...new Set(items.map(({ reason }) => reason))].map((reason) => (
        <div key={reason}>
          <dt>
            <span class="badge warn">{texts.reasons[reason].name}</span>
          </dt>
          <dd id={reasonId(reason)} class="soft">
            {texts.reasons[reason].why}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Row({
  item,
  accountId,
  policy,
  onAllow,
}: {
  item: Refused;
  accountId: number | undefined;
  policy: Access['policy'] | undefined;
  onAllow: () => void;
}) {
  const { email, reason, count, firstAt, lastAt } = item;
  return (
    <tr data-email={email}>
      <th scope="row" class="who">
        <Name text={email} />
      </th>
      <td class="why" aria-describedby={reasonId(reason)} title={texts.reasons[reason].why}>
        <span class="badge warn">{texts.reasons[reason].name}</span>
      </td>
      <td class="number">
        <span class="label">{texts.columns.count} </span>
        {formatNumber(count)}{' '}
        {firstAt !== lastAt && (
          <span class="soft">
            {texts.since} <Time at={firstAt} as="short" />
          </span>
        )}
      </td>
      <td class="number">
        <span class="label">{texts.columns.lastAt} </span>
        <Time at={lastAt} as="short" />
      </td>
      <td class="act">
        <div>
          {reason !== 'account_required' ? (
            reason !== 'email_unverified' && (
              <a class="button small" href={viewUrl(`/accounts?q=${encodeURIComponent(email)}`)}>
                {texts.find}
                <span class="unseen"> {email}</span>
              </a>
            )
          ) : (
            <Invite email={email} accountId={accountId}>
              {(policy === 'domains' || policy === 'invited') && (
                <button type="button" class="button plain small" onClick={onAllow}>
                  {texts.allow}
                  <span class="unseen"> {domainOf(email)}</span>
                </button>
              )}
            </Invite>
          )}
        </div>
      </td>
    </tr>
  );
}

/** Creates the account of somebody who was refused. */
function Invite({
  email,
  accountId,
  children,
}: {
  email: string;
  /** The account, once it is there. */
  accountId: number | undefined;
  children: ComponentChildren;
}) {
  const isBusy = useSignal(false);
  const link = useRef<HTMLAnchorElement>(null);
  const hasFocus = useRef(false);
  // The button is gone: the focus goes to what is in its place.
  useEffect(() => {
    if (accountId !== undefined && hasFocus.current) link.current?.focus();
    hasFocus.current = false;
  }, [accountId]);
  const invite = async () => {
    isBusy.value = true;
    hasFocus.current = true;
    try {
      const { id } = await call('POST /v1/users', { body: { email }, idempotencyKey: crypto.randomUUID() });
      const params = { id: `${id}` };
      const { items } = await call('GET /v1/users/:id/history', { params, query: { limit: '1' } });
      if (items[0]) tell(items[0]);
      sayChanged(texts.hasAccount(email), items[0]);
    } catch (error) {
      hasFocus.current = false;
      if (error instanceof Problem && error.code === 'email_taken') say(texts.hasAccount(email));
      else sayFault(error);
    }
    isBusy.value = false;
  };
  if (accountId !== undefined) {
    return (
      <>
        <span class="badge good">
          <Icon name="check" />
          {texts.invited}
        </span>
        <a ref={link} class="button small" href={viewUrl(`/accounts/${accountId}`)}>
          {texts.open}
          <span class="unseen"> {email}</span>
        </a>
      </>
    );
  }
  return (
    <>
      <button type="button" class="button small" disabled={isBusy.value} onClick={invite}>
        <Icon name="plus" />
        {isBusy.value ? texts.inviting : texts.invite}
        <span class="unseen"> {email}</span>
      </button>
      {children}
    </>
  );
}

/** Shows what to set so that everybody of a domain may come in. */
function DomainDialog({ domain, access, onClose }: { domain: string; access: Access; onClose: () => void }) {
  const title = texts.domain.title(domain);
  const setting = `ACCESS_POLICY=domains\nACCESS_DOMAINS=${[...new Set([...access.domains, domain])].join(',')}`;
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="body">
        <h2>{title}</h2>
        <p>{texts.domain.text(domain)}</p>
        <pre class="command">{setting}</pre>
        <p class="soft">{texts.domain.only}</p>
        <div class="row end">
          <button type="button" class="button" onClick={onClose}>
            {shared.dialog.close}
          </button>
          <button type="button" class="button primary" onClick={() => copy(setting, texts.domain.copied)}>
            <Icon name="copy" />
            {texts.domain.copy}
          </button>
        </div>
      </div>
    </Dialog>
  );
}
