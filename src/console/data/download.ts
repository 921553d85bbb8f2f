import type { QueryOf } from '../../client/index.ts';
import { queryOf } from '../../client/send.ts';
import { call } from './api.ts';
import { BASE_PATH } from './place.ts';

/** The URL of the accounts of these filters as a file. */
export function exportUrl(query: QueryOf<'GET /v1/users/export'>): string {
  return `${BASE_PATH}/v1/users/export${queryOf(query)}`;
}

/**
 * Has the browser save the accounts of these filters, once the service has answered for them: a browser does not say why a download is
 * refused, and no page is told of it. Throws what the service refuses.
 */
export async function exportAccounts(query: QueryOf<'GET /v1/users/export'>): Promise<void> {
  const { format, bom, separator, ...filters } = query;
  await call('GET /v1/users', { query: { ...filters, limit: '1' } });
  download(exportUrl(query));
}

/** Has the browser save one's own data as a file, as {@link exportAccounts} does. */
export async function exportOwnData(): Promise<void> {
  await call('GET /v1/me');
  download(OWN_DATA, 'account.json');
}

/** The URL of one's own data as a file. */
export const OWN_DATA = `${BASE_PATH}/v1/me/export`;

/** Has the browser save what is at an address. */
export function download(url: string, name = ''): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
}
