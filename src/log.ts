import pino, { type Logger } from 'pino';
import type { Settings } from '../config/settings.ts';

/**
 * The log of the process: JSON lines on standard output, or readable lines in development. Callers must not log
 * secrets; credentials in the headers of a logged request are redacted.
 */
export async function createLog({ logLevel, environment }: Settings): Promise<Logger> {
  const options = {
    level: logLevel,
    redact: ['*.authorization', '*.cookie', '*.headers.authorization', '*.headers.cookie'],
  };
  if (environment !== 'development') return pino(options);
  // pino-pretty is a development dependency: without it, the lines stay JSON.
  const pretty = await import('pino-pretty').catch(() => undefined);
  return pretty === undefined
    ? pino(options)
    : pino(
        options,
        pretty.default({ sync: true, singleLine: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' }),
      );
}
