import { z } from 'zod';
import { type Problem, STATUS } from '../answer/problem.ts';
import { importReport } from './import-report.ts';

/** A problem as it leaves; `code` may be any that there is. A kind may have members of its own (RFC 9457, section 3.2). */
export const problem = z
  .looseObject({
    type: z.literal('about:blank'),
    title: z.string().meta({ description: "The status's own name." }),
    status: z.int(),
    detail: z.string().meta({ description: 'For people to read; it may change.' }),
    code: z
      .enum(Object.keys(STATUS) as [Problem['code']])
      .meta({ description: 'For programs to go by; it stays.' }),
    requestId: z.string().meta({ description: 'As in `X-Request-Id`; it finds the request in the log.' }),
    errors: z
      .array(z.strictObject({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'Where in the input a fault lies (keys, joined by dots), and what it is.' }),
    fields: z
      .array(z.string())
      .optional()
      .meta({ description: 'What has changed since, where that is the reason; of preferences, the paths.' }),
    report: importReport.optional().meta({ description: 'Of an import that is refused.' }),
  })
  .meta({ id: 'Problem', description: 'A refusal (RFC 9457).' });
