import { type Answered, Problem, type QueryOf, queryOf, Unreachable } from '../../client/client.ts';
import { hasSessionEnded } from './api.ts';
import type { PlannedChange } from './dry-run.ts';
import { BASE_PATH } from './place.ts';

/** What an import did, or would do. */
export type ImportReport = Answered<'POST /v1/users/import'> & {
  /** Of a dry run: the first changes that it would record. */
  readonly changes?: readonly PlannedChange[];
};

/** The result of an import, with the id of its request. */
export interface Imported {
  readonly report: ImportReport;
  readonly requestId: string;
}

/**
 * Sends accounts to import, and tells how much of them has been sent, from 0 to 1: `fetch` cannot tell that. Throws as `call` does,
 * and the signal's reason once it aborts.
 */
export function importAccounts(
  body: Blob,
  {
    type,
    query,
    key,
    signal,
    onProgress,
  }: {
    type: string;
    query: QueryOf<'POST /v1/users/import'>;
    /** Sent twice with it, it is imported once. */
    key?: string;
    signal: AbortSignal;
    onProgress: (part: number) => void;
  },
): Promise<Imported> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `${BASE_PATH}/v1/users/import${queryOf(query)}`);
    request.setRequestHeader('Content-Type', type);
    request.setRequestHeader('Rollcall-Console', '1');
    if (key) request.setRequestHeader('Idempotency-Key', `"${key}"`);
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.upload.onload = () => onProgress(1);
    const fail = () => reject(new Unreachable());
    request.onerror = fail;
    request.onabort = () => reject(signal.reason);
    signal.addEventListener('abort', () => request.abort());
    request.onload = () => {
      try {
        const answer = JSON.parse(request.responseText);
        const requestId = request.getResponseHeader('X-Request-Id') ?? '';
        if (request.status === 200) return resolve({ report: answer, requestId });
        if (answer.code === 'unauthenticated') hasSessionEnded.value = true;
        reject(new Problem(answer));
      } catch {
        fail();
      }
    };
    request.send(body);
  });
}
