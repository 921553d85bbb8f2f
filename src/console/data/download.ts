import type { QueryOf } from '../../client/index.ts';
import { queryOf } from '../../client/send.ts';
import { BASE_PATH } from './place.ts';

/** Where the accounts of these filters are to be had as a file. */
export function exportUrl(query: QueryOf<'GET /v1/users/export'>): string {
  return `${BASE_PATH}/v1/users/export${queryOf(query)}`;
}

/** Has the browser save what is at an address. */
export function download(url: string, name = ''): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
}
