import { parseDatabaseUrl } from '../../config/database-url.ts';
import { clientConfig, type DatabaseSettings } from './connection.ts';

/** Which database a connection leads to, for people, and without secrets: `rollcall at db.internal:5432 as app`. */
export function addressOf(database: DatabaseSettings): string {
  const { database: name, user, host, port } = clientConfig(database, 'direct');
  const { hosts } = parseDatabaseUrl(database.url);
  const targets =
    hosts.length > 1
      ? hosts.map((one) => `${one.host ?? host}:${one.port ?? port}`).join(' or ')
      : `${host}:${port}`;
  return `${name} at ${targets} as ${user}`;
}
