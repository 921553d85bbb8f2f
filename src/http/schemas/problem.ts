import { z } from 'zod';
import { REFUSAL_CODES, type RefusalCode } from '../../domain/refusals.ts';
import { importReport } from './import-report.ts';
import { openList } from './open-list.ts';
import { refusedUndoReport } from './undo-report.ts';

/** The schema of a problem. A kind may have members of its own (RFC 9457, section 3.2). */
export const problem = z
  .looseObject({
    type: z.literal('about:blank'),
    title: z.string().meta({ description: 'The name of the status.' }),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: 'For people; may change.' }),
    code: openList(REFUSAL_CODES as [RefusalCode]).meta({ description: 'For programs; stable.' }),
    requestId: z.string().meta({ description: 'As in `X-Request-Id`; finds the request in the log.' }),
    errors: z
      .array(z.strictObject({ path: z.string(), message: z.string() }).meta({ id: 'InputFault' }))
      .optional()
      .meta({ description: 'Each fault of the input, with its path (keys joined by dots).' }),
    fields: z
      .array(z.string())
      .optional()
      .meta({ description: 'Fields and preference paths that have changed since.' }),
    cause: z.string().optional().meta({ description: 'Why a sign-in was refused; in development only.' }),
    report: z
      .xor([importReport, refusedUndoReport])
      .optional()
      .meta({ description: 'The report of a refused import or undo.' }),
  })
  .meta({ id: 'Problem', description: 'A refusal (RFC 9457).' });
