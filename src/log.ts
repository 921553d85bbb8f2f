import pino, { type DestinationStream, type Logger } from 'pino';
import type { Settings } from '../config/settings.ts';

/**
 * The log of the process: JSON lines, or readable lines with the format `pretty`, on standard output or `destination`. No text in
 * it can begin a line or steer a terminal. Callers must not log secrets; credentials in the headers of a logged request are
 * redacted.
 */
export async function createLog(
  { logLevel, logFormat }: Pick<Settings, 'logLevel' | 'logFormat'>,
  destination?: DestinationStream,
): Promise<Logger> {
  const pretty = logFormat === 'pretty' ? await loadPretty() : undefined;
  const log = pino(
    {
      level: logLevel,
      redact: ['*.authorization', '*.cookie', '*.headers.authorization', '*.headers.cookie'],
      hooks: { streamWrite: pretty === undefined ? withoutControls : forPretty },
    },
    pretty?.({
      ...(destination && { destination }),
      sync: true,
      singleLine: true,
      ignore: 'pid,hostname',
      translateTime: 'HH:MM:ss',
    }) ??
      destination ??
      pino.destination(1),
  );
  if (logFormat === 'pretty' && pretty === undefined)
    log.warn('pino-pretty is not installed, writing JSON; install it, or set LOG_FORMAT=json');
  return log;
}

/** A build has the package in it; beside the sources it is a development dependency. */
async function loadPretty() {
  return (await import('pino-pretty').catch(() => undefined))?.default;
}

/**
 * What JSON leaves as it is: C1 controls, which some terminals obey, separators that some readers take for the end of a line, and
 * marks that are invisible or turn the direction of writing.
 */
const CONTROLS = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A line of JSON with those escaped, which means the same. */
function withoutControls(line: string): string {
  // ASCII, as most lines are, is found out in a tenth of the time. JSON escapes its other controls.
  if (Buffer.byteLength(line) === line.length && !line.includes('\u007f')) return line;
  return line.replace(CONTROLS, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Escapes twice what pino-pretty would print raw: all but the lines of a stack trace, which it indents. */
function forPretty(line: string): string {
  return withoutControls(line).replace(
    /\\(?:(["\\/]|n(?: {4}at |caused by: ))|u[\da-f]{4}|[bfnrt])/g,
    (escaped, harmless) => (harmless === undefined ? `\\${escaped}` : escaped),
  );
}
