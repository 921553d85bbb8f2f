import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { call } from './api.ts';

/** The most accounts that the service names in one answer. */
const MOST = 100;

/** The emails of accounts by their ids, as far as they have been asked for; `null` for accounts that are gone. */
const emails = signal<ReadonlyMap<number, string | null>>(new Map());
const asked = new Set<number>();

/** The emails of these accounts, as far as they are known: those that are not are asked for, once. */
export function useAccountEmails(ids: readonly number[]): ReadonlyMap<number, string | null> {
  useEffect(() => {
    const missing = [...new Set(ids)].filter((id) => !asked.has(id));
    for (let first = 0; first < missing.length; first += MOST) ask(missing.slice(first, first + MOST));
  }, [ids]);
  return emails.value;
}

function ask(ids: readonly number[]): void {
  for (const id of ids) asked.add(id);
  call('GET /v1/users', { query: { ids: ids.join(), limit: `${MOST}` } }).then(
    ({ items }) => {
      const found = new Map(items.map(({ id, email }) => [id, email]));
      emails.value = new Map([...emails.peek(), ...ids.map((id) => [id, found.get(id) ?? null] as const)]);
    },
    // Without a name, an account is shown by its id.
    () => {
      for (const id of ids) asked.delete(id);
    },
  );
}
