import type { TestApp } from '../support/app.ts';
import { ADA } from '../support/console-page.ts';

const FIRST =
  'Grace Alan Katherine Barbara Edsger Donald Frances Tim Radia Margaret Dennis Adele Ken Shafi Hedy'.split(
    ' ',
  );
const LAST =
  'Hopper Turing Johnson Liskov Dijkstra Knuth Allen Berners-Lee Perlman Hamilton Ritchie Goldberg Thompson'.split(
    ' ',
  );
const DOMAINS = ['example.com', 'lab.example.org', 'studio.example.net'];

/** How many accounts the screenshots have beside that of the admin. */
const PEOPLE = 240;

/** Fills a service with the same accounts each time: created over two months, some changed since, some turned away. */
export async function addPeople(app: TestApp): Promise<void> {
  const send = async (
    method: string,
    path: string,
    body?: unknown,
    { as = ADA, status = 200 }: { as?: string; status?: number } = {},
  ) => {
    const headers = {
      'Content-Type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
    };
    const response = await app.call(path, {
      method,
      as,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status !== status) throw new Error(`${method} ${path} answers ${response.status}: ${text}`);
  };
  const now = Date.now();
  const people = Array.from({ length: PEOPLE }, (_, n) => {
    const first = FIRST[n % FIRST.length] as string;
    const last = LAST[(n * 5 + Math.floor(n / 15)) % LAST.length] as string;
    // More of them lately, and fewer on every seventh day.
    const daysAgo = Math.floor(60 * (1 - Math.sqrt((n + 1) / PEOPLE))) + (n % 7 === 0 ? 1 : 0);
    return {
      email:
        `${first}.${last}${n > 60 ? n : ''}@${DOMAINS[n % 4 === 0 ? 1 : n % 9 === 0 ? 2 : 0]}`.toLowerCase(),
      name: n % 11 === 0 ? null : `${first} ${last}`,
      role: n % 40 === 3 ? 'admin' : 'user',
      storageMode: n % 3 === 0 ? 'account' : 'local',
      preferences: { theme: n % 2 === 0 ? 'dark' : 'light', language: ['en', 'de', 'fr'][n % 3] },
      createdAt: new Date(now - daysAgo * 86_400_000 - (n % 24) * 3_600_000).toISOString(),
    };
  });
  const lines = people.map((person) => `${JSON.stringify(person)}\n`).join('');
  const imported = await app.call('/v1/users/import', {
    method: 'POST',
    as: ADA,
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: lines,
  });
  if (!imported.ok) throw new Error(await imported.text());
  const rows = await app.database.query<{ id: number; email: string }>(
    `select id, email from users where email <> $1 order by created_at desc, id desc`,
    [ADA],
  );
  const at = (index: number) => rows[index] as { id: number; email: string };
  /** A longer name of the same person. */
  const longName = (index: number) => {
    const [first = '', last = ''] = at(index)
      .email.replace(/\d*@.*/, '')
      .split('.')
      .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
    return `${first} M. ${last}`;
  };
  for (const index of [3, 8, 21]) await send('PATCH', `/v1/users/${at(index).id}`, { status: 'suspended' });
  for (const index of [1, 5]) await send('PATCH', `/v1/users/${at(index).id}`, { name: longName(index) });
  await send('PATCH', `/v1/users/${at(2).id}`, { role: 'admin' });
  await send('PATCH', `/v1/users/${at(2).id}`, {
    preferences: { theme: 'dark', editor: { font: 'Iosevka', size: 14 } },
  });
  await send('PATCH', `/v1/users/${at(2).id}`, { storageMode: 'account', name: longName(2) });
  // Their own acts, which also say when they were seen.
  for (const index of [0, 2, 4, 6, 7, 9]) {
    await send(
      'PATCH',
      '/v1/me/preferences',
      { theme: 'light', sidebar: index % 4 === 0 },
      {
        as: at(index).email,
      },
    );
  }
  for (const stranger of ['mallory@elsewhere.example', 'trent@partner.example', 'trudy@partner.example']) {
    await send('GET', '/v1/me', undefined, { as: stranger, status: 403 });
  }
  // Most have been here since, many of them lately.
  await app.database.query(
    `update sightings
     set last_seen_at = greatest(users.created_at, now() - interval '28 days' * power(users.id * 37 % 100 / 100.0, 2)),
       since = users.created_at
     from users where users.id = user_id and users.id % 6 > 0 and users.email <> $1`,
    [ADA],
  );
  const tokens = [
    { name: 'billing', scopes: ['users:read'], expiresAt: null },
    {
      name: 'crm sync',
      scopes: ['users:read', 'users:write', 'changes:read'],
      expiresAt: new Date(now + 365 * 86_400_000).toISOString(),
    },
  ];
  for (const token of tokens) await send('POST', '/v1/service-tokens', token, { status: 201 });
}
