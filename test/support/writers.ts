import { setTimeout as pause } from 'node:timers/promises';
import { LockMode, type MikroORM } from '@mikro-orm/postgresql';
import { COMMAND_LINE } from '../../src/domain/author.ts';
import { User } from '../../src/domain/user.ts';
import { unitsOfWork } from '../../src/store/unit-of-work.ts';
import { addAccount } from './accounts.ts';
import type { TestDatabase } from './database.ts';

const WRITERS = 20;
const UNITS = 15;

/**
 * Runs twenty concurrent writers. Each runs units of work in sequence: create an account, then change two of a few shared
 * accounts. The units hold their transactions open for random times and sometimes roll back. `orm` needs a connection for
 * each writer, and time for statements that wait for the others.
 */
export async function writeAtRandom(database: TestDatabase, orm: MikroORM): Promise<void> {
  const accounts: number[] = [];
  for (let n = 0; n < 8; n++) accounts.push((await addAccount(database, `a${n}@example.com`)).id);
  const inUnit = unitsOfWork(orm, COMMAND_LINE);
  const randomAccount = () => accounts[Math.floor(Math.random() * accounts.length)] ?? 0;
  const holdOpen = () => pause(Math.random() * 15);

  const write = async (writer: number) => {
    for (let n = 0; n < UNITS; n++) {
      await inUnit(async ({ em }) => {
        await em.begin();
        // Writing this first makes the transaction older than its later changes to the shared accounts.
        em.persist(new User(`w${writer}-${n}-${Math.random()}@example.com`));
        await em.flush();
        for (const id of [randomAccount(), randomAccount()].sort((a, b) => a - b)) {
          await holdOpen();
          const lockMode = LockMode.PESSIMISTIC_WRITE;
          const user = await em.findOneOrFail(User, { id }, { lockMode, refresh: true });
          user.name = `${writer}-${n}-${Math.random()}`;
          await em.flush();
        }
        await holdOpen();
        if (Math.random() < 0.2) throw new RolledBack();
      }).catch((error: unknown) => {
        if (!(error instanceof RolledBack)) throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
}

class RolledBack extends Error {}
