import type { Client } from '../client.ts';

/** The admin who changes accounts, and the one who reads the feed. Nobody changes these two. */
export const ADMIN = 'root@example.com';
/** See {@link ADMIN}. */
export const OBSERVER = 'observer@example.com';

/** So few that writers collide. */
const COUNT = 6;

/** A person with an account. */
export interface Person {
  readonly email: string;
  readonly id: number;
}

/** Creates the people of a run, or others with another name. */
export async function createPeople(client: Client, name = 'person', count = COUNT): Promise<Person[]> {
  const people: Person[] = [];
  for (let n = 0; n < count; n++) {
    const email = `${name}${n}@example.com`;
    const answer = await client.send({
      method: 'POST',
      path: '/v1/users',
      as: ADMIN,
      action: 'created',
      body: (mark) => ({ email, name: mark }),
    });
    if (answer?.status !== 201) throw new Error(`${email} was not created: ${JSON.stringify(answer?.body)}`);
    people.push({ email, id: Number(answer.body['id']) });
  }
  return people;
}
