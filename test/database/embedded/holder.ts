/** A process that opens the embedded database on command of a test, so that the test can kill it. */
import { inspect } from 'node:util';
import {
  type EmbeddedDatabase,
  type EmbeddedOptions,
  openEmbedded,
} from '../../../src/database/embedded/index.ts';
import { releaseOnExit } from '../../../src/database/embedded/release-on-exit.ts';

/** The commands of a test. */
export type Command =
  | { do: 'open'; options: Omit<EmbeddedOptions, 'log'> }
  | { do: 'release' }
  | { do: 'releaseOnExit' }
  | { do: 'print' } // prints the database object as a careless logger would
  | { do: 'listen' } // handles SIGTERM itself, as a program that closes what it has opened
  | { do: 'exit' }
  | { do: 'finish' }; // disconnects, so that the process ends if nothing keeps it alive

/** The replies of the holder. */
export type Reply = { value: unknown } | { error: string } | { log: string };

const send = (reply: Reply) => process.send?.(reply);
const log = (_fields: object, message: string) => send({ log: message });
let database: EmbeddedDatabase | undefined;

const run = async (command: Command): Promise<unknown> => {
  switch (command.do) {
    case 'open': {
      database = await openEmbedded({ ...command.options, log: { info: log, warn: log, error: log } });
      return { origin: database.origin, port: database.port, url: database.url };
    }
    case 'release':
      return database?.release();
    case 'releaseOnExit':
      return database && releaseOnExit(database);
    case 'print':
      return JSON.stringify(database) + inspect(database, { showHidden: true });
    case 'listen':
      process.on('SIGTERM', () => send({ log: 'told to end' }));
      return;
    case 'exit':
      return process.exit(0);
    case 'finish':
      return process.disconnect();
  }
};

process.on('message', (command: Command) => {
  run(command).then(
    (value) => process.connected && send({ value }),
    (error: Error) => send({ error: error.message }),
  );
});
send({ value: 'ready' });
