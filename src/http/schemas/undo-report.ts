import { z } from 'zod';
import { ACTIONS } from '../../domain/change.ts';
import { refusals } from '../../domain/refusals.ts';
import { MAX_SHOWN, MAX_SKIPPED, MAX_SKIPPED_FIELDS } from '../../services/history/undo-request.ts';
import { change, dryRun } from './change.ts';
import { openList } from './open-list.ts';

const changes = z.int().min(0);

const REASONS = [
  refusals.accountInUse,
  refusals.changedSince,
  refusals.emailTaken,
  refusals.erased,
  refusals.invalidPreferences,
].map(({ code }) => code);

const counts = {
  undone: changes.meta({ description: '0 after a dry run or a refusal: nothing was written.' }),
  skipped: changes.meta({ description: 'Changes that cannot be undone, and stay.' }),
  actions: z
    .strictObject(
      Object.fromEntries(ACTIONS.map((action) => [action, changes])) as Record<
        (typeof ACTIONS)[number],
        typeof changes
      >,
    )
    .meta({
      description:
        'What the undo does, or would do: accounts that it creates again, changes back or deletes.',
    }),
  undoneRequestId: z.string().meta({ description: 'The request whose changes are undone.' }),
  requestId: z.string().nullable().meta({
    description: 'The request id of the new changes: undoing one of them as a whole takes the undo back.',
  }),
  skippedChanges: z
    .array(
      z
        .strictObject({
          id: z.int(),
          userId: z.int(),
          reason: openList(REASONS as [(typeof REASONS)[number]]).meta({
            description: 'The code of the refusal that an undo of this change alone would get.',
          }),
          fields: z
            .array(z.string())
            .max(MAX_SKIPPED_FIELDS)
            .meta({
              description: `The first ${MAX_SKIPPED_FIELDS} fields and preference paths that have changed since.`,
            }),
        })
        .meta({ id: 'SkippedChange' }),
    )
    .max(MAX_SKIPPED)
    .meta({ description: `The first ${MAX_SKIPPED} changes that cannot be undone.` }),
};

/** Of an undo that has written nothing. */
const wouldUndo = changes.meta({ description: 'Changes that can be undone.' });

const EXAMPLE = {
  undone: 2,
  skipped: 0,
  actions: { created: 0, updated: 0, deleted: 2 },
  undoneRequestId: '5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11',
  requestId: 'ec893c10-9ed7-4037-87cf-5d67d62a2837',
  skippedChanges: [],
};

/** The schema of the report of a refused undo. */
export const refusedUndoReport = z.strictObject({ ...counts, wouldUndo }).meta({
  id: 'RefusedUndoReport',
  description: 'Why the changes of a request are not undone.',
  examples: [{ ...EXAMPLE, undone: 0, wouldUndo: 2 }],
});

/** The schema of the report of the undo of a request. */
export const undoReport = z
  .strictObject({
    ...counts,
    changes: z
      .array(change)
      .max(MAX_SHOWN)
      .meta({ description: `The first ${MAX_SHOWN} changes that the undo has made.` }),
  })
  .meta({
    id: 'UndoReport',
    description: 'The outcome of the undo of everything that a request has changed.',
    examples: [{ ...EXAMPLE, changes: [] }],
  });

/** The schema of the answer to a dry run of one. */
export const undoDryRun = refusedUndoReport.extend(dryRun.shape).meta({ id: 'UndoDryRun' });
