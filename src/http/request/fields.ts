import type { IncomingMessage } from 'node:http';

/**
 * How many header fields of a name, in lower case, a request has. `headers` does not tell: of several `Host` or `Authorization` it has
 * the first, and of most others all of them joined.
 */
export function countFields({ rawHeaders }: IncomingMessage, name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const field = rawHeaders[index] ?? '';
    if (field.length === name.length && field.toLowerCase() === name) count++;
  }
  return count;
}
