import createClient from 'openapi-fetch';
import type { components, paths } from './client/schema.d.ts';

const client = createClient<paths>({
  baseUrl: process.env['ROLLCALL_URL'] ?? '',
  headers: { Authorization: `Bearer ${process.env['ROLLCALL_TOKEN']}` },
});

type Account = components['schemas']['Account'];

const before = await client.GET('/v1/users', { params: { query: { limit: 10, total: true } } });
const counted = before.data?.total?.count;

const tried = await client.POST('/v1/users', {
  params: { query: { dryRun: true } },
  body: { email: 'grace@example.com' },
});
const dryRun = tried.data && 'changes' in tried.data ? tried.data.changes.map(({ action }) => action) : [];

const created = await client.POST('/v1/users', { body: { email: 'grace@example.com', name: 'Grace' } });
const account = created.data as Account;

const patch = (ifMatch: string) =>
  client.PATCH('/v1/users/{id}', {
    params: { path: { id: account.id }, header: { 'If-Match': ifMatch } },
    body: { name: null, preferences: { theme: 'dark' } },
  });
const tag = created.response.headers.get('ETag') ?? '';
const patched = (await patch(tag)).data as Account;
const stale = await patch(tag);

const page = await client.GET('/v1/history', { params: { query: { userId: account.id, limit: 1 } } });
const patching = page.data?.items[0]?.id ?? 0;
const undo = { params: { path: { id: patching }, query: { dryRun: true } } };
const undone = await client.POST('/v1/history/{id}/undo', undo);
const undoTried = undone.data && 'changes' in undone.data ? undone.data.changes : [];
const requestUndone = (await client.POST('/v1/history/{id}/undo-request', undo)).data;

const text = 'email,name\r\nalan@example.com,Alan\r\nada@example.com,Ada\r\n';
const importing = (isDryRun: boolean) =>
  client.POST('/v1/users/import', {
    params: { query: { partial: true, dryRun: isDryRun } },
    headers: { 'Content-Type': 'text/csv' },
    body: text,
    bodySerializer: (body) => body,
  });
const importTried = await importing(true);
const imported = await importing(false);

const after = await client.GET('/v1/users', { params: { query: { sort: 'email' } } });

console.log(
  JSON.stringify({
    counted,
    dryRun,
    created: { email: account.email, name: account.name, roleUntil: account.roleUntil },
    patched: { name: patched.name, preferences: patched.preferences, version: patched.version },
    stale: [stale.response.status, stale.error?.code],
    undoTried: undoTried.map(({ action, undoes }) => [action, undoes === patching]),
    requestUndoTried: requestUndone &&
      'wouldUndo' in requestUndone && [requestUndone.wouldUndo, requestUndone.changes.length],
    importTried: [importTried.data?.created, importTried.data?.failed],
    imported: [imported.data?.created, imported.data?.failed],
    emails: after.data?.items.map(({ email }) => email),
  }),
);
