import { type Answered, Problem, type QueryOf, Unreachable } from '../../client/index.ts';
import { queryOf } from '../../client/send.ts';
import { sendAttended } from './api.ts';
import type { PlannedChange } from './dry-run.ts';
import { CONSOLE_HEADER } from './early.ts';
import { BASE_PATH } from './place.ts';

/** What an import did, or would do. */
export type ImportReport = Answered<'POST /v1/users/import'> & {
  /** Of a dry run: the first changes that it would record. */
  readonly changes?: readonly PlannedChange[];
};

/** The result of an import. */
export interface Imported {
  readonly report: ImportReport;
  /** By which the history knows it: a proxy may have replaced the one that was sent. */
  readonly requestId: string | null;
}

/**
 * Sends accounts to import, and tells how much of them has been sent, from 0 to 1: `fetch` cannot tell that. Goes on and throws as `call`
 * does, and throws the signal's reason once it aborts.
 */
export function importAccounts(body: Blob, options: UploadOptions): Promise<Imported> {
  const { signal } = options;
  return sendAttended((reason) => send(body, options, reason), { isWrite: true, signal });
}

interface UploadOptions {
  readonly type: string;
  readonly query: QueryOf<'POST /v1/users/import'>;
  /** Sent twice with it, it is imported once. It goes as the id of the request too, so that an answer to the second says which one it was. */
  readonly key?: string;
  readonly signal: AbortSignal;
  readonly onProgress: (part: number) => void;
}

function send(
  body: Blob,
  { type, query, key, signal, onProgress }: UploadOptions,
  reason?: string,
): Promise<Imported> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `${BASE_PATH}/v1/users/import${queryOf(query)}`);
    request.setRequestHeader('Content-Type', type);
    request.setRequestHeader(CONSOLE_HEADER, '1');
    if (key) {
      request.setRequestHeader('Idempotency-Key', `"${key}"`);
      request.setRequestHeader('X-Request-Id', key);
    }
    if (reason) request.setRequestHeader('Rollcall-Reason', encodeURIComponent(reason));
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.upload.onload = () => onProgress(1);
    const fail = () => reject(new Unreachable());
    request.onerror = fail;
    request.onabort = () => reject(signal.reason);
    signal.addEventListener('abort', () => request.abort());
    request.onload = () => {
      try {
        const answer = JSON.parse(request.responseText);
        const requestId = request.getResponseHeader('X-Request-Id');
        if (request.status === 200) resolve({ report: answer, requestId });
        else reject(new Problem(answer));
      } catch {
        fail();
      }
    };
    request.send(body);
  });
}
