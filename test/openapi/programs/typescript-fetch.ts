import {
  type Account,
  AccountsApi,
  Configuration,
  type DryRun,
  HistoryApi,
  type Problem,
  ResponseError,
  type UndoDryRun,
} from './client/index';

const configuration = new Configuration({
  basePath: process.env['ROLLCALL_URL'] ?? '',
  accessToken: process.env['ROLLCALL_TOKEN'] ?? '',
});
const accounts = new AccountsApi(configuration);
const history = new HistoryApi(configuration);

const counted = (await accounts.getUsers({ limit: 10, total: true })).total?.count;

const tried = await accounts.postUsers({ newAccount: { email: 'grace@example.com' }, dryRun: true });
const dryRun = (tried as DryRun).changes.map(({ action }) => action);

const raw = await accounts.postUsersRaw({ newAccount: { email: 'grace@example.com', name: 'Grace' } });
const account = (await raw.value()) as Account;

const patch = (ifMatch: string) =>
  accounts.patchUsersById({
    id: account.id,
    accountPatch: { name: null, preferences: { theme: 'dark' } },
    ifMatch,
  });
const tag = raw.raw.headers.get('ETag') ?? '';
const patched = (await patch(tag)) as Account;
const stale = await patch(tag).catch(async (error: unknown) => {
  if (!(error instanceof ResponseError)) throw error;
  const problem: Problem = await error.response.json();
  return [error.response.status, problem.code];
});

const [patching] = (await history.getHistory({ userId: account.id, limit: 1 })).items;
if (patching === undefined) throw new Error('The change is not in the history.');
const undo = { id: patching.id, dryRun: true };
const undoTried = ((await history.postHistoryByIdUndo(undo)) as DryRun).changes;
const requestUndoTried = (await history.postHistoryByIdUndoRequest(undo)) as UndoDryRun;

const text = '{"email":"alan@example.com","name":"Alan"}\n{"email":"ada@example.com","name":"Ada"}\n';
const importing = async (isDryRun: boolean) => {
  const { created, failed } = await accounts.postUsersImport({
    body: new Blob([text]),
    partial: true,
    dryRun: isDryRun,
  });
  return [created, failed];
};
const importTried = await importing(true);
const imported = await importing(false);

const after = await accounts.getUsers({ sort: 'email' });

console.log(
  JSON.stringify({
    counted,
    dryRun,
    created: { email: account.email, name: account.name, roleUntil: account.roleUntil },
    patched: { name: patched.name, preferences: patched.preferences, version: patched.version },
    stale,
    undoTried: undoTried.map(({ action, undoes }) => [action, undoes === patching.id]),
    requestUndoTried: [requestUndoTried.wouldUndo, requestUndoTried.changes.length],
    importTried,
    imported,
    emails: after.items.map(({ email }) => email),
  }),
);
