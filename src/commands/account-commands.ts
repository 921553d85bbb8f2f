import { consoleAddress, consoleLink } from '../boot/console-link.ts';
import { ACTIVE_ADMIN, type User } from '../domain/user.ts';
import { makeCode } from '../services/access/console-codes.ts';
import { cutIdentity, identitiesOf } from '../services/access/identities.ts';
import {
  type AccountChanges,
  accountByEmail,
  changeAccount,
  createAccount,
  deleteAccount,
} from '../services/accounts/accounts.ts';
import { fields } from '../services/accounts/fields.ts';
import { listAccounts } from '../services/accounts/list.ts';
import { type AccountView, accountView } from '../services/accounts/view.ts';
import { eraseAccounts } from '../services/history/erasure.ts';
import { verifyHistory } from '../services/history/verification.ts';
import type { Position } from '../services/paging.ts';
import { publicationSql, publishAccounts, unpublishAccounts } from '../store/publication/publish.ts';
import { oneOf } from './account-options.ts';
import type { Command, CommandContext } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { exportFile, importFile } from './transfer-commands.ts';
import { undo } from './undo-command.ts';
import { UsageError } from './usage-error.ts';

/** The commands, by name. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  list: async (_, { inUnit, values }) => {
    const limit = whole(values.limit);
    const filters = {
      role: oneOf(fields.role.options, values.role),
      status: oneOf(fields.status.options, values.status),
      q: values.q,
    };
    const items: AccountView[] = [];
    let after: Position | undefined;
    do {
      const page = await inUnit(
        ({ em }) => listAccounts(em, { ...filters, after, limit: Math.min(200, limit - items.length) }),
        { readOnly: true },
      );
      items.push(...page.items.map((json) => JSON.parse(json) as AccountView));
      after = page.next ?? undefined;
    } while (after !== undefined && items.length < limit);
    return items;
  },
  show: async (email, { inUnit }) =>
    accountView(await inUnit(({ em }) => accountByEmail(em, given(email)), { readOnly: true })),
  invite: async (email, { inUnit, rules, values }) => {
    const name = fields.name.optional().safeParse(values.name);
    if (!name.success) throw new UsageError(`--name ${name.error.issues[0]?.message.replace('M', 'm')}`);
    const input = { email: given(email), name: name.data, role: oneOf(fields.role.options, values.role) };
    return accountView(await inUnit(async (unit) => createAccount(unit, input, rules)));
  },
  promote: (email, context) => change(email, context, { ...ACTIVE_ADMIN, roleUntil: null }),
  demote: (email, context) => change(email, context, { role: 'user' }),
  suspend: (email, context) => change(email, context, { status: 'suspended' }),
  restore: (email, context) => change(email, context, { status: 'active' }),
  delete: (email, { inUnit }) =>
    inUnit(async (unit) => {
      const account = await accountByEmail(unit.em, given(email));
      await unit.claim(account);
      deleteAccount(unit, account);
    }),
  cut: (email, { inUnit }) =>
    inUnit(async (unit) => {
      const account = await accountByEmail(unit.em, given(email));
      const bound = (await identitiesOf(unit.em, account.id)).filter(({ cutAt }) => !cutAt);
      for (const identity of bound) await cutIdentity(unit, identity);
      return { cut: bound.length };
    }),
  console: async (email, { inUnit, settings }) => {
    if (!settings.console.enabled)
      throw new UsageError('CONSOLE is false: there is no console to sign in to.');
    const { code, expiresAt } = await inUnit((unit) => makeCode(unit, given(email)));
    return { link: consoleLink(consoleAddress(settings), code), expiresAt: expiresAt.toISOString() };
  },
  erase: async (email, { inUnit }) => ({ erased: await inUnit((unit) => eraseAccounts(unit, given(email))) }),
  verify: async (_, { inUnit }) => {
    const verification = await inUnit(({ em }) => verifyHistory(em), { readOnly: true });
    if (verification.wrong > 0) process.exitCode = EXIT.data;
    return verification;
  },
  import: (file, context) => importFile(given(file, 'a file'), context),
  export: exportFile,
  undo: (requestId, context) => undo(given(requestId, 'a request id'), context),
  publish: (argument, { inUnit, values: { to, print } }) => {
    // A role that is not named so would be left out, and nobody would notice.
    if (argument !== undefined) throw new UsageError(`Name the role of the app by --to ${argument}.`);
    return inUnit<unknown>(({ em }) => (print ? publicationSql(em, to) : publishAccounts(em, to)));
  },
  unpublish: (_, { inUnit }) => inUnit(({ em }) => unpublishAccounts(em)),
};

async function change(
  email: string | undefined,
  { inUnit, rules }: CommandContext,
  changes: AccountChanges,
): Promise<AccountView> {
  const account = await inUnit(async (unit): Promise<User> => {
    const found = await accountByEmail(unit.em, given(email));
    await unit.claim(found);
    changeAccount(found, changes, rules);
    return found;
  });
  return accountView(account);
}

function given(argument: string | undefined, what = 'an email'): string {
  if (argument === undefined) throw new UsageError(`This command needs ${what}.`);
  return argument;
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new UsageError('--limit must be a whole number of at least 1.');
  return Number(text);
}
