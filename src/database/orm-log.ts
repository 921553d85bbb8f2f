import type { Logger as OrmLogger } from '@mikro-orm/core';
import type { Logger } from 'pino';

/**
 * The ORM's messages in the process's log: warnings (a lost connection) as warnings, the migrator's steps at `info`, and
 * statements, which contain personal data, at `trace` only.
 */
export function ormLog(log: Logger): OrmLogger {
  return {
    log: (namespace, message) => log[namespace === 'migrator' ? 'info' : 'debug']({ namespace }, message),
    warn: (namespace, message) =>
      log.warn({ namespace, reason: message }, 'the ORM or a migration warns; do what its reason says'),
    error: (namespace, message) =>
      log.error({ namespace, reason: message }, 'the ORM or a migration failed; see its reason'),
    logQuery: ({ query, took }) => log.trace({ query, took }, 'query'),
    isEnabled: () => log.isLevelEnabled('trace'),
    setDebugMode: () => undefined,
  };
}
