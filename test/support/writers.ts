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
 * Twenty writers at the same time, each with one unit of work after the other: it makes an account and changes two of a
 * few that all of them change, holds its transaction open at random before, between and after, and gives it up at times.
 * `orm` needs a connection for each.
 */
export async function writeAtRandom(database: TestDatabase, orm: MikroORM): Promise<void> {
  const accounts: number[] = [];
  for (let n = 0; n < 8; n++) accounts.push((await addAccount(database, `a${n}@example.com`)).id);
  const inUnit = unitsOfWork(orm, COMMAND_LINE);
  const another = () => accounts[Math.floor(Math.random() * accounts.length)] ?? 0;
  const holdOpen = () => pause(Math.random() * 15);

  const write = async (writer: number) => {
    for (let n = 0; n < UNITS; n++) {
      await inUnit(async ({ em }) => {
        await em.begin();
        // The first that it writes: so much older than its changes to the others can its transaction be.
        em.persist(new User(`w${writer}-${n}-${Math.random()}@example.com`));
        await em.flush();
        for (const id of [another(), another()].sort((a, b) => a - b)) {
          await holdOpen();
          const lockMode = LockMode.PESSIMISTIC_WRITE;
          const user = await em.findOneOrFail(User, { id }, { lockMode, refresh: true });
          user.name = `${writer}-${n}-${Math.random()}`;
          await em.flush();
        }
        await holdOpen();
        if (Math.random() < 0.2) throw new GivenUp();
      }).catch((error: unknown) => {
        if (!(error instanceof GivenUp)) throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
}

class GivenUp extends Error {}
