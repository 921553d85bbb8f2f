import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { has } from '../programs.ts';

/** Where Debian has a folder for each version of PostgreSQL. */
const VERSIONS = '/usr/lib/postgresql';

/** The folder with the programs of the newest PostgreSQL on this machine that a member can be copied and rewound with. */
export function postgresBinaries(): string | undefined {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).map(Number) : [];
  return versions
    .filter(Number.isFinite)
    .sort((a, b) => b - a)
    .map((version) => join(VERSIONS, `${version}`, 'bin'))
    .find((folder) =>
      ['postgres', 'pg_basebackup', 'pg_rewind'].every((name) => existsSync(join(folder, name))),
    );
}

/** What this machine lacks for a cluster under Patroni, if anything. */
export function missingPrograms(): string | undefined {
  if (process.platform !== 'linux') return 'it needs the loopback network of Linux, 127.0.0.0/8';
  const missing = ['patroni', 'patronictl', 'etcd', 'haproxy', 'pgbouncer'].filter((name) => !has(name));
  if (postgresBinaries() === undefined) missing.push('PostgreSQL');
  if (missing.length === 0) return undefined;
  return `${missing.join(', ')} not installed; on Debian: apt-get install patroni etcd-server haproxy pgbouncer postgresql`;
}
