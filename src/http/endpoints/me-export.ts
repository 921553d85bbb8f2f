import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Change } from '../../domain/change.ts';
import { sessionsOf } from '../../services/access/console-sessions.ts';
import { cuttersOf, identitiesOf, identityView } from '../../services/access/identities.ts';
import { accountView } from '../../services/accounts/view.ts';
import { historyOf } from '../../services/history/account-history.ts';
import { changeView } from '../../services/history/view.ts';
import { endpoint } from '../endpoint.ts';
import { account } from '../schemas/account.ts';
import { change } from '../schemas/change.ts';
import { identity } from '../schemas/identity.ts';
import { consoleSession } from '../schemas/session.ts';

/** My data export, as a download. */
export function meExportEndpoints() {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/me/export',
      access: 'account',
      transfers: 'personal',
      summary: 'Export my data',
      description:
        'Everything that is stored about the account, as one JSON file (GDPR, articles 15 and 20): the account, its sign-ins, its sessions and its history.',
      answer: {
        status: 200,
        description: 'A download. One that breaks off is incomplete.',
        schema: z
          .strictObject({
            account,
            identities: z.array(identity).meta({ description: 'Its sign-ins at each issuer, newest first.' }),
            sessions: z
              .array(consoleSession)
              .meta({ description: 'Where it is signed in to the console, newest first.' }),
            history: z.array(change).meta({ description: 'Its history, oldest first.' }),
          })
          .meta({ id: 'PersonalData' }),
        headers: { 'Content-Disposition': 'Suggested file name.' },
      },
      // Up to the shown version: changes made while it is sent are in neither part.
      async handle({ actor, unit: { em } }) {
        const identities = await identitiesOf(em, actor.id);
        const nameOf = await cuttersOf(em, identities);
        return {
          head: {
            account: accountView(actor),
            identities: identities.map((one) => identityView(one, nameOf)),
            sessions: await sessionsOf(em, actor.id),
          },
          history: historyOf(em, actor.id, actor.updatedAt, textOf),
        };
      },
      // Strings as they are, and one ready while the reader is busy.
      view: ({ head, history }) =>
        Readable.from(pieces(head, history), { objectMode: true, highWaterMark: 1 }),
      headers: () => ({ 'Content-Disposition': 'attachment; filename="account.json"' }),
    }),
  ];
}

/** The text, piece by piece. The first piece waits for the history, so that a failure there can be answered. */
async function* pieces(head: object, history: AsyncIterable<string>): AsyncGenerator<string> {
  let start = `${JSON.stringify(head).slice(0, -1)},"history":[`;
  for await (const entry of history) {
    yield start + entry;
    start = ',';
  }
  yield start === ',' ? ']}' : `${start}]}`;
}

/** An entry as JSON, which takes a fraction of the memory of the entry itself. */
function textOf(entry: Change): string {
  return JSON.stringify(changeView(entry));
}
