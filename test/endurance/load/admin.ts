import type { Answer, Client } from '../client.ts';
import { oneOf, type Random } from '../random.ts';
import { ADMIN, type Person } from './people.ts';

/** The most accounts that a worker remembers. */
const MAX_KNOWN = 20;

/** What an admin does: creates accounts, renames and deletes them, renames people, and undoes. */
export function actAsAdmin(client: Client, people: readonly Person[], random: Random): () => Promise<void> {
  const known: number[] = [];
  /** The entries of deletions, to be undone. */
  const deletions: number[] = [];

  const create = async () => {
    const answer = await client.send({
      method: 'POST',
      path: '/v1/users',
      as: ADMIN,
      isKeyed: true,
      action: 'created',
      body: (mark) => ({ email: `${mark}@example.com`, name: mark }),
    });
    keep(answer, Number(answer?.body['id']));
    if (answer?.status === 201) known.push(Number(answer.body['id']));
    if (known.length > MAX_KNOWN) known.shift();
  };
  const rename = async (userId: number) => {
    const answer = await client.send({
      method: 'PATCH',
      path: `/v1/users/${userId}`,
      as: ADMIN,
      isKeyed: true,
      action: 'updated',
      body: (mark) => ({ name: mark }),
    });
    keep(answer, userId);
  };
  const remove = async () => {
    const userId = known.shift();
    if (userId === undefined) return create();
    const answer = await client.send({
      method: 'DELETE',
      path: `/v1/users/${userId}`,
      as: ADMIN,
      isKeyed: true,
      action: 'deleted',
    });
    if (answer?.status !== 204) return;
    const history = await client.send({
      method: 'GET',
      path: `/v1/users/${userId}/history?limit=1`,
      as: ADMIN,
    });
    const [entry] = (history?.body['items'] ?? []) as { id: number; action: string }[];
    if (entry?.action === 'deleted') deletions.push(entry.id);
  };
  const undo = async () => {
    const deletion = deletions.shift();
    if (deletion === undefined) return create();
    const answer = await client.send({
      method: 'POST',
      path: `/v1/history/${deletion}/undo`,
      as: ADMIN,
      isKeyed: true,
      action: 'created',
    });
    keep(answer, Number(answer?.body['userId']));
  };
  const kinds = [
    create,
    () => (known.length > 0 ? rename(oneOf(random, known)) : create()),
    () => rename(oneOf(random, people).id),
    remove,
    undo,
  ];
  return () => oneOf(random, kinds)();
}

/** Keeps the account and the version that the answer of a write shows. */
function keep(answer: Answer | undefined, userId: number): void {
  const version = Number(answer?.body['version']);
  if (answer !== undefined && answer.status < 300 && version > 0)
    Object.assign(answer.entry, { userId, version });
}
