import { z } from 'zod';
import { STATE_FIELDS } from '../../domain/change.ts';
import type { PreferenceRules } from '../../domain/preferences.ts';
import { refusals } from '../../domain/refusals.ts';
import { RECHECK_MS, wholeWhileAllowed } from '../../services/access/while-allowed.ts';
import { reportWithin } from '../../services/report-within.ts';
import { exportAccounts } from '../../services/transfer/export.ts';
import { FORMATS, NO_VALUE, SEPARATOR_NAMES } from '../../services/transfer/formats/index.ts';
import { IMPORT_MODES, importAccounts } from '../../services/transfer/import.ts';
import { MAX_KEPT_BYTES } from '../../store/kept-answer.ts';
import { endpoint } from '../endpoint.ts';
import { SEED_WARNING } from '../schemas/account.ts';
import { accountFilters } from '../schemas/account-filters.ts';
import { flag } from '../schemas/flag.ts';
import { importReport } from '../schemas/import-report.ts';

const OPTIONAL_FIELDS = STATE_FIELDS.filter((field) => field !== 'email').map((field) => `\`${field}\``);

const FORMAT_NAMES = FORMATS.map(({ extension }) => extension);

const TYPES = FORMATS.map(({ mediaType }) => mediaType);

/** What imports and exports depend on. */
interface TransferDeps {
  readonly preferenceRules: PreferenceRules;
  readonly streamTimes?: { readonly recheckMs?: number };
}

/** Import and export (admins). */
export function transferEndpoints({ preferenceRules: rules, streamTimes }: TransferDeps) {
  const everyMs = streamTimes?.recheckMs ?? RECHECK_MS;
  return [
    endpoint({
      method: 'POST',
      path: '/v1/users/import',
      access: 'admin',
      scope: 'users:write',
      summary: 'Import accounts',
      description: 'Creates and updates any number of accounts from CSV or NDJSON, in one transaction.',
      query: z.strictObject({
        mode: z.enum(IMPORT_MODES).default('create').meta({
          description:
            'What to do with an account that exists: `create` fails its line; `upsert` sets the fields that the line gives, and writes nothing where they are equal.',
        }),
        partial: flag(
          'Import the valid lines even if others fail. Otherwise one invalid line fails the import.',
        ),
      }),
      upload: {
        types: TYPES,
        description: [
          `Accounts, one a line, each with its \`email\` and any of ${OPTIONAL_FIELDS.join(', ')}; preferences are replaced, not merged.`,
          '`createdAt`, a time that is not in the future, is kept for a new account. The export is a valid import: `id`, `version` and `updatedAt` are ignored.',
          'In UTF-8, in UTF-16, such as the "Unicode Text" of Excel, or in the charset of `Content-Type`.',
          'NDJSON: one JSON object a line.',
          'CSV, with commas, semicolons or tabs: a header line names the columns, as the export does or as spreadsheets and the exports of Google Workspace, Microsoft Entra and Okta do; other columns are ignored, and named in the report.',
          `Preferences are JSON in their cell; an empty cell means a field not given, and \`${NO_VALUE}\` no value; one apostrophe before a formula is removed.`,
          'A line has at most 128 KiB; the number of lines is unlimited. The import begins when all of it has arrived.',
        ].join(' '),
        examples: {
          'application/x-ndjson':
            '{"email":"grace@example.com","name":"Grace Hopper"}\n{"email":"alan@example.com"}\n',
          'text/csv': 'email,name,preferences\r\ngrace@example.com,Grace Hopper,"{""theme"":""dark""}"\r\n',
        },
      },
      answer: { status: 200, description: 'The report.', schema: importReport, headers: SEED_WARNING },
      refusals: [refusals.invalidLines, refusals.lastAdmin, refusals.reasonRequired],
      dryRunAnswer: importReport,
      async handle({ unit, upload, query }) {
        const lines = formatOf(upload.type).read(upload.bytes, upload.charset);
        const report = await importAccounts(unit, lines, { ...query, rules });
        // All may have been read before the last of it was written.
        upload.requireCaller();
        return report;
      },
      view: (report) => report,
      keeps: (report) => reportWithin(report, 'failures', MAX_KEPT_BYTES),
    }),
    endpoint({
      method: 'GET',
      path: '/v1/users/export',
      access: 'admin',
      scope: 'users:read',
      transfers: 'accounts',
      summary: 'Export accounts',
      description: 'As CSV or NDJSON, by `Accept` or `format`. What it writes can be imported again.',
      readsReplica: true,
      query: z.strictObject({
        ...accountFilters,
        format: z
          .enum(FORMAT_NAMES)
          .optional()
          .meta({ description: 'Instead of `Accept`, which links cannot send.' }),
        bom: flag('Begin a CSV file with a byte order mark, by which Excel recognizes UTF-8.'),
        separator: z.enum(SEPARATOR_NAMES).default(SEPARATOR_NAMES[0]).meta({
          description:
            'What separates the cells of a CSV file; Excel expects a semicolon where the comma is the decimal sign.',
        }),
      }),
      answer: {
        status: 200,
        description:
          'All accounts that match the filters, ordered by id, from one consistent snapshot. An export that breaks off is incomplete; one breaks off when its caller loses the right to it.',
        type: TYPES,
        headers: { 'Content-Disposition': 'Suggested file name.', Vary: 'Varies by `Accept`.' },
      },
      refusals: [refusals.notAcceptable],
      handle({ unit, reader, query, accept }) {
        const { format: name, bom, separator, ...filters } = query;
        const format = FORMATS.find(({ extension }) => extension === name) ?? formatOf(accept(TYPES));
        const pieces = exportAccounts(reader, format, { bom, separator, filters });
        return { format, stream: wholeWhileAllowed(unit, pieces, everyMs) };
      },
      view: ({ stream }) => stream,
      headers: ({ format: { mediaType, extension } }) => ({
        'Content-Type': `${mediaType}; charset=utf-8`,
        'Content-Disposition': `attachment; filename="accounts.${extension}"`,
        Vary: 'Accept',
      }),
    }),
  ];
}

function formatOf(type: string): (typeof FORMATS)[number] {
  return FORMATS.find(({ mediaType }) => mediaType === type) ?? FORMATS[0];
}
