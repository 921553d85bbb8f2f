import { setTimeout as pause } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { ormOptions } from '../mikro-orm.config.ts';
import { closeOrm } from '../src/database/close-orm.ts';
import { signHs256 } from '../src/security/hmac.ts';
import { verifyHistory } from '../src/services/history/verification.ts';
import { SECRET } from './support/app.ts';
import { createMigratedDatabase, type TestDatabase } from './support/database.ts';
import { insist } from './support/insistent.ts';
import { type ServerProcess, startServer } from './support/server-process.ts';
import { until } from './support/until.ts';

const WRITES = 1_000;
const WRITERS = 16;

/** The facts of a history entry. */
interface Entry {
  readonly userId: number;
  readonly action: string;
  readonly version: number;
  readonly after: { email?: string; name?: string; preferences?: object } | null;
}

/** An entry in the form in which acknowledged answers are remembered. */
function factsIn({ userId, action, version, after }: Entry): string[] {
  const keys = Object.keys(after?.preferences ?? {});
  return [
    `${userId} ${action}`,
    `${userId} is ${after?.name} in version ${version}`,
    `${after?.email} ${action}`,
    ...keys.map((key) => `${userId} prefers ${key}`),
  ];
}

describe('a kill -9 in the middle of 1,000 writes', function () {
  this.timeout(300_000);

  let database: TestDatabase;
  let server: ServerProcess;

  beforeEach(async () => {
    database = await createMigratedDatabase();
  });

  afterEach(async () => {
    await server.end('SIGKILL');
    await database.drop();
  });

  it('loses no acknowledged write, and leaves no change without its entry and no entry without its change', async () => {
    const acknowledged: string[] = [];
    for (const [round, killedAfter] of [50, 400, 900].entries()) {
      server = startServer({
        RATE_LIMIT_REQUESTS: '0',
        RATE_LIMIT_HISTORY_BYTES: '0',
        DATABASE_URL: database.url,
        INITIAL_ADMINS: 'ada@example.com',
      });
      const address = await server.ready();
      let answers = 0;
      const lost = await write(address, round, (fact) => {
        acknowledged.push(fact);
        if (++answers === killedAfter) server.child.kill('SIGKILL');
      });
      expect(await server.ended()).to.equal('SIGKILL');
      expect(lost).to.be.above(0);
      await connectionsGone();
      await expectWhole(acknowledged);
    }
  });

  /** Sends random writes, even after the server is gone. Returns how many got no answer. */
  async function write(address: string, round: number, onDone: (fact: string) => void): Promise<number> {
    const token = await signHs256(SECRET, 'ada@example.com', '1h');
    const ids: number[] = [];
    const call = async (method: string, path: string, body: object = {}, type = 'application/json') => {
      const response = await insist(() =>
        fetch(new URL(path, address), {
          method,
          headers: { Authorization: `Bearer ${token}`, 'Content-Type': type },
          ...(method !== 'DELETE' && { body: Array.isArray(body) ? body.join('\n') : JSON.stringify(body) }),
        }),
      );
      const text = await response.text();
      // Another writer deleted it, or other imports are running.
      if (response.status === 404 || response.status === 429) return undefined;
      expect(response.ok, text).to.equal(true);
      return text === '' ? {} : JSON.parse(text);
    };
    // One of the latest few, so that writers collide.
    const anyone = () => ids.at(-1 - Math.floor(Math.random() * 4));

    const create = async (n: number) => {
      const email = `r${round}.${n}@example.com`;
      const { id } = await call('POST', '/v1/users', { email, preferences: { n } });
      ids.push(id);
      onDone(`${email} created`);
    };
    const patch = async (n: number, id = anyone()) => {
      if (id === undefined) return create(n);
      const name = `N${round}.${n}`;
      const account = await call('PATCH', `/v1/users/${id}`, {
        name,
        preferences: { n, [`k${n % 5}`]: [n] },
      });
      if (account !== undefined) onDone(`${id} is ${name} in version ${account.version}`);
    };
    const remove = async (n: number, id = anyone()) => {
      if (id === undefined) return create(n);
      if ((await call('DELETE', `/v1/users/${id}`)) !== undefined) onDone(`${id} deleted`);
    };
    const patchMe = async (n: number) => {
      await call('PATCH', '/v1/me/preferences', { [`r${round}.${n}`]: n });
      onDone(`1 prefers r${round}.${n}`);
    };
    const importSome = async (n: number) => {
      const emails = [`i${round}.${n}@example.com`, `j${round}.${n}@example.com`, 'shared@example.com'];
      const lines = emails.map((email) => JSON.stringify({ email, name: `I${round}.${n}` }));
      const send = () => call('POST', '/v1/users/import?mode=upsert', lines, 'application/x-ndjson');
      while ((await send()) === undefined) await pause(10);
      for (const email of emails.slice(0, 2)) onDone(`${email} created`);
    };

    const kinds = [create, create, patch, patch, remove, patchMe, importSome];
    let next = 0;
    let lost = 0;
    const writer = async () => {
      for (let n = next++; n < WRITES; n = next++) {
        await kinds[Math.floor(Math.random() * kinds.length)]?.(n).catch((error: Error) => {
          // The error of fetch for a broken or refused connection.
          if (!(error instanceof TypeError)) throw error;
          lost++;
        });
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
    return lost;
  }

  /** PostgreSQL rolls back a dead server's transactions as soon as it notices. */
  async function connectionsGone(): Promise<void> {
    const left = `select 1 from pg_stat_activity where datname = current_database() and application_name = 'rollcall'`;
    await until('the end of the connections', async () => (await database.query(left)).length === 0);
  }

  async function expectWhole(acknowledged: readonly string[]): Promise<void> {
    const orm = await MikroORM.init(ormOptions(database));
    const { wrong, findings } = await verifyHistory(orm.em.fork()).finally(() => closeOrm(orm));
    expect([wrong, findings]).to.deep.equal([0, []]);
    const entries = await database.query<Entry>(
      'select user_id as "userId", action, version, after from changes',
    );
    const told = new Set(entries.flatMap(factsIn));
    expect(acknowledged.filter((fact) => !told.has(fact))).to.deep.equal([]);
  }
});
