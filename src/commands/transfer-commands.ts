import { createReadStream, createWriteStream } from 'node:fs';
import { extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ImportReport } from '../domain/import-report.ts';
import { exportAccounts } from '../services/transfer/export.ts';
import { FORMATS, isCharset, SEPARATOR_NAMES } from '../services/transfer/formats/index.ts';
import { IMPORT_MODES, importAccounts } from '../services/transfer/import.ts';
import { primaryReader } from '../store/replicas/reader.ts';
import { oneOf } from './account-options.ts';
import type { CommandContext } from './command.ts';
import { UsageError } from './usage-error.ts';

/** Standard input or output in place of a file. */
const STANDARD = '-';

/** The extensions that name a format. */
const EXTENSIONS = FORMATS.flatMap(({ extensions }) => extensions);

/** Imports a file, or standard input. */
export async function importFile(
  path: string,
  { inUnit, rules, values }: CommandContext,
): Promise<ImportReport & { readonly requestId?: string | null }> {
  const format = formatOf(path, values.format);
  const { charset } = values;
  if (charset !== undefined && !isCharset(charset)) {
    throw new UsageError(`${charset} is no charset: for example, name utf-8, utf-16le or windows-1252.`);
  }
  const bytes = path === STANDARD ? process.stdin : createReadStream(path);
  const [create, upsert] = IMPORT_MODES;
  return inUnit(
    async (unit) => {
      unit.dryRun = values['dry-run'];
      const report = await importAccounts(unit, format.read(bytes, charset), {
        mode: values.upsert ? upsert : create,
        partial: values.partial,
        rules,
        onProgress: (lines) => process.stderr.isTTY && process.stderr.write(`\r${lines} lines`),
      });
      // What `undo` takes it back by.
      return unit.dryRun ? report : { ...report, requestId: unit.author.requestId };
    },
    { replays: false },
  );
}

/** Exports to a file, or to standard output. */
export async function exportFile(
  path = STANDARD,
  { inUnit, values }: Pick<CommandContext, 'inUnit' | 'values'>,
): Promise<void> {
  const format = formatOf(path, values.format);
  const extension = values.format?.toLowerCase() ?? extensionOf(path);
  const separator = oneOf(SEPARATOR_NAMES, values.separator) ?? (extension === 'tsv' ? 'tab' : undefined);
  const isStandard = path === STANDARD;
  await inUnit(
    ({ em }) =>
      pipeline(
        exportAccounts(primaryReader(em), format, { separator, bom: values.bom }),
        isStandard ? process.stdout : createWriteStream(path, { mode: 0o600 }),
        { end: !isStandard },
      ),
    { readOnly: true },
  );
}

/** The format that was asked for, or else that of the file's name; by default the first. */
function formatOf(path: string, asked: string | undefined) {
  const extension = oneOf(EXTENSIONS, asked?.toLowerCase()) ?? extensionOf(path);
  return FORMATS.find(({ extensions }) => extensions.includes(extension)) ?? FORMATS[0];
}

function extensionOf(path: string): string {
  return extname(path).slice(1).toLowerCase();
}
