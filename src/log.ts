import pino, { type Logger } from 'pino';
import type { Settings } from '../config/settings.ts';

/**
 * The process's log: JSON lines on standard output; in development, lines for people. Secrets have no business here,
 * and those that might slip in with a request's headers are struck out.
 */
export async function createLog({ logLevel, environment }: Settings): Promise<Logger> {
  const options = {
    level: logLevel,
    redact: ['*.authorization', '*.cookie', '*.headers.authorization', '*.headers.cookie'],
  };
  if (environment !== 'development') return pino(options);
  // A development dependency: where only those of production are installed, the lines stay JSON.
  const pretty = await import('pino-pretty').catch(() => undefined);
  return pretty === undefined
    ? pino(options)
    : pino(
        options,
        pretty.default({ sync: true, singleLine: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' }),
      );
}
