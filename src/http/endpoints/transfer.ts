import { z } from 'zod';
import type { PreferenceRules } from '../../domain/preferences.ts';
import { exportAccounts } from '../../services/transfer/export.ts';
import { FORMATS } from '../../services/transfer/formats/index.ts';
import { IMPORT_MODES, importAccounts } from '../../services/transfer/import.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { flag } from '../schemas/flag.ts';
import { importReport } from '../schemas/import-report.ts';

const TYPES = FORMATS.map(({ mediaType }) => mediaType);

/** Many accounts at once, for admins. */
export function transferEndpoints(rules: PreferenceRules): Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: '/v1/users/import',
      access: 'admin',
      scope: 'users:write',
      summary: 'Import accounts',
      query: z.strictObject({
        mode: z.enum(IMPORT_MODES).default('create').meta({
          description:
            'What befalls an account that is there already: in `create` its line fails; in `upsert` the fields that the line gives are set, and nothing is written where they are equal.',
        }),
        partial: flag('Keep the good lines even if others fail. Without, one bad line fails all.'),
      }),
      upload: {
        types: TYPES,
        description: [
          'Accounts, one a line, in UTF-8, each with its `email` and any of `name`, `role`, `status`, `storageMode`, `preferences` (which are replaced, not merged).',
          'As NDJSON, one JSON object a line; as CSV (RFC 4180), with a header line that names the columns, preferences as JSON in their cell, an empty cell for no name and for any other field not given, and one apostrophe dropped that stands before a formula.',
          'What the export writes is taken: `id`, `version`, `createdAt`, `updatedAt` are passed over.',
          'A line has 128 KiB at most; the number of lines has no limit.',
        ].join(' '),
        examples: {
          'application/x-ndjson':
            '{"email":"grace@example.com","name":"Grace Hopper"}\n{"email":"alan@example.com"}\n',
          'text/csv': 'email,name,preferences\r\ngrace@example.com,Grace Hopper,"{""theme"":""dark""}"\r\n',
        },
      },
      answer: { status: 200, description: 'What it did.', schema: importReport },
      refusals: ['invalid_input', 'last_admin'],
      rehearsesResult: true,
      handle: ({ em, upload, query }) =>
        importAccounts(em, formatOf(upload.type).read(upload.bytes), { ...query, rules }),
      view: (report) => report,
    }),
    endpoint({
      method: 'GET',
      path: '/v1/users/export',
      access: 'admin',
      scope: 'users:read',
      summary: 'Export all accounts',
      answer: {
        status: 200,
        description:
          'All accounts, ordered by id, as they were at one moment. One that breaks off is not complete.',
        type: TYPES,
        headers: { 'Content-Disposition': 'How the file is to be called.', Vary: 'It goes by `Accept`.' },
      },
      refusals: ['not_acceptable'],
      handle({ em, accept }) {
        const format = formatOf(accept(TYPES));
        return { format, stream: exportAccounts(em, format) };
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
