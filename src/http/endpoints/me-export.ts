import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Change } from '../../domain/change.ts';
import type { Account } from '../../domain/user.ts';
import { accountView } from '../../services/accounts/view.ts';
import { historyOf } from '../../services/history/account-history.ts';
import { changeView } from '../../services/history/view.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { account } from '../schemas/account.ts';
import { change } from '../schemas/change.ts';

/** My data export, as a download. */
export function meExportEndpoints(): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/me/export',
      access: 'account',
      transfers: 'personal',
      summary: 'Export my data',
      answer: {
        status: 200,
        description: 'A download. One that breaks off is incomplete.',
        schema: z.strictObject({
          account,
          history: z.array(change).meta({ description: 'Its history, oldest first.' }),
        }),
        headers: { 'Content-Disposition': 'Suggested file name.' },
      },
      // Up to the shown version: changes made while it is sent are in neither part.
      handle: ({ actor, unit }) => ({
        actor,
        history: historyOf(unit.em, actor.id, actor.updatedAt, textOf),
      }),
      // Strings as they are, and one ready while the reader is busy.
      view: ({ actor, history }) =>
        Readable.from(pieces(actor, history), { objectMode: true, highWaterMark: 1 }),
      headers: () => ({ 'Content-Disposition': 'attachment; filename="account.json"' }),
    }),
  ];
}

/** The text, piece by piece. The first piece waits for the history, so that a failure there can be answered. */
async function* pieces(actor: Account, history: AsyncIterable<string>): AsyncGenerator<string> {
  let start = `{"account":${JSON.stringify(accountView(actor))},"history":[`;
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
