import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Change } from '../../domain/change.ts';
import type { Account } from '../../domain/user.ts';
import { historyOf } from '../../services/history/account-history.ts';
import { accountView, changeView } from '../answer/views.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { account } from '../schemas/account.ts';
import { change } from '../schemas/change.ts';

/** All that is kept about whoever asks, as a download. */
export function meExportEndpoints(): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/v1/me/export',
      access: 'account',
      summary: 'All that is kept about me',
      answer: {
        status: 200,
        description: 'A download. One that breaks off is not complete.',
        schema: z.strictObject({
          account,
          history: z.array(change).meta({ description: 'All that has befallen it, the oldest first.' }),
        }),
        headers: { 'Content-Disposition': 'How the file is to be called.' },
      },
      // As far as the account that is shown: what comes while it is sent is in neither.
      handle: ({ actor, em }) => ({ actor, history: historyOf(em, actor.id, actor.updatedAt) }),
      // Text as it is, and no more than one piece ready while whoever reads is busy.
      view: ({ actor, history }) =>
        Readable.from(pieces(actor, history), { objectMode: true, highWaterMark: 1 }),
      headers: () => ({ 'Content-Disposition': 'attachment; filename="account.json"' }),
    }),
  ];
}

/** The text of it, piece by piece; the first one has to wait for the history, so that what fails there can be answered. */
async function* pieces(actor: Account, history: AsyncIterable<Change>): AsyncGenerator<string> {
  let start = `{"account":${JSON.stringify(accountView(actor))},"history":[`;
  for await (const entry of history) {
    yield start + JSON.stringify(changeView(entry));
    start = ',';
  }
  yield start === ',' ? ']}' : `${start}]}`;
}
