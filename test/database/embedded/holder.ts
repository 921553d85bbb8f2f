/** A process that holds the embedded database at the command of a test, so that it can be killed. */
import { inspect } from 'node:util';
import {
  type EmbeddedDatabase,
  type EmbeddedOptions,
  openEmbedded,
} from '../../../src/database/embedded/index.ts';
import { releaseOnExit } from '../../../src/database/embedded/release-on-exit.ts';

/** What a test may ask for. */
export type Order =
  | { do: 'open'; options: Omit<EmbeddedOptions, 'log'> }
  | { do: 'release' }
  | { do: 'releaseOnExit' }
  | { do: 'print' } // the database, as a careless logger would
  | { do: 'exit' }
  | { do: 'finish' }; // nothing left to do: a process that nothing keeps alive ends

/** What it answers. */
export type Reply = { value: unknown } | { error: string } | { log: string };

const say = (reply: Reply) => process.send?.(reply);
const log = (_fields: object, message: string) => say({ log: message });
let database: EmbeddedDatabase | undefined;

const follow = async (order: Order): Promise<unknown> => {
  switch (order.do) {
    case 'open': {
      database = await openEmbedded({ ...order.options, log: { info: log, warn: log, error: log } });
      return { origin: database.origin, port: database.port, url: database.url };
    }
    case 'release':
      return database?.release();
    case 'releaseOnExit':
      return database && releaseOnExit(database);
    case 'print':
      return JSON.stringify(database) + inspect(database, { showHidden: true });
    case 'exit':
      return process.exit(0);
    case 'finish':
      return process.disconnect();
  }
};

process.on('message', (order: Order) => {
  follow(order).then(
    (value) => process.connected && say({ value }),
    (error: Error) => say({ error: error.message }),
  );
});
say({ value: 'here' });
