import { z } from 'zod';
import { ACTORS } from '../../domain/author.ts';
import { type Change, STATE_FIELDS } from '../../domain/change.ts';
import type { PreferenceRules } from '../../domain/preferences.ts';
import { Refusal } from '../../domain/refusal.ts';
import { refusals } from '../../domain/refusals.ts';
import type { CursorCodec } from '../../security/cursor.ts';
import { accountById } from '../../services/accounts/accounts.ts';
import { id } from '../../services/accounts/fields.ts';
import { type ChangeFilters, listChanges } from '../../services/history/list.ts';
import { undoChange } from '../../services/history/undo.ts';
import { requestOf, undoRequest } from '../../services/history/undo-request.ts';
import { changeView, writtenChangeView } from '../../services/history/view.ts';
import type { Page } from '../../services/paging.ts';
import { reportWithin } from '../../services/report-within.ts';
import { MAX_KEPT_BYTES } from '../../store/kept-answer.ts';
import type { Reader } from '../../store/replicas/reader.ts';
import { linkToNext, type PageQuery, readPage, type SealedPage } from '../answer/page.ts';
import { type Answer, endpoint } from '../endpoint.ts';
import { SEED_WARNING } from '../schemas/account.ts';
import { action, change, changeId, moment } from '../schemas/change.ts';
import { flag } from '../schemas/flag.ts';
import { LINK, pageQuery, pageSchema, searchText } from '../schemas/page.ts';
import { undoDryRun, undoReport } from '../schemas/undo-report.ts';

const params = z.object({ id });
const query = z.strictObject(pageQuery);

const changeParams = z.object({
  id: changeId.meta({ description: "The change's id.", examples: [7] }),
});

const filters = query.extend({
  actor: searchText.optional().meta({
    description: `Who acted: ${ACTORS}, as at the time.`,
    examples: ['ada@example.com'],
  }),
  userId: id.optional().meta({ description: 'The account that was changed.' }),
  requestId: searchText.optional().meta({
    description: 'The request that made the change: everything that one request or one import has changed.',
    examples: ['5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11'],
  }),
  action: action.optional(),
  field: searchText
    .regex(
      new RegExp(`^(${STATE_FIELDS.join('|')}|preferences\\..+)$`, 's'),
      `Must be ${STATE_FIELDS.join(', ')}, or a path such as preferences.theme.`,
    )
    .optional()
    .meta({
      description: 'A field, or a path in the preferences.',
      examples: ['role', 'preferences.theme'],
    }),
  since: moment.optional().meta({ description: 'Inclusive. In a URL, write `+` as `%2B`.' }),
  until: moment.optional().meta({ description: 'Exclusive.' }),
});

const answer = {
  status: 200 as const,
  description: 'A page of the history, newest first.',
  schema: pageSchema(change).meta({ id: 'ChangePage' }),
  headers: LINK,
} satisfies Answer;

/** What a list is shown from. */
interface Listed {
  readonly path: string;
  readonly query: Parameters<typeof linkToNext>[1];
  readonly page: SealedPage<Page<Change>>;
}
const view = ({ page }: Listed) => ({ ...page, items: page.items.map(changeView) });
const headers = ({ path, query, page }: Listed) => linkToNext(path, query, page);

/** The history and undo. */
export function historyEndpoints(rules: PreferenceRules, cursors: CursorCodec) {
  const list = (reader: Reader, query: PageQuery, given: ChangeFilters) => {
    const { actor, userId, requestId, action, field, since, until } = given;
    const scope = ['changes', actor, userId, action, field, since, until, requestId];
    return readPage(cursors, scope, query, (request) =>
      reader.read((em) => listChanges(em, { ...given, ...request })),
    );
  };
  return [
    endpoint({
      method: 'GET',
      path: '/v1/me/history',
      access: 'account',
      summary: "List my account's history",
      description: 'Who has changed the account, what and when.',
      query,
      answer,
      refusals: [refusals.badCursor],
      handle: async ({ reader, actor, query }): Promise<Listed> => ({
        path: '/v1/me/history',
        query,
        page: await list(reader, query, { userId: actor.id }),
      }),
      view,
      headers,
    }),
    endpoint({
      method: 'GET',
      path: '/v1/users/:id/history',
      access: 'admin',
      scope: 'history:read',
      summary: "List an account's history",
      description: 'Who has changed the account, what and when.',
      readsReplica: true,
      params,
      query,
      answer: { ...answer, description: `${answer.description} Deleted accounts keep theirs.` },
      refusals: [refusals.badCursor],
      async handle({ unit, reader, params: { id }, query }): Promise<Listed> {
        const page = await list(reader, query, { userId: id });
        if (page.items.length === 0) await accountById(unit.em, id);
        return { path: `/v1/users/${id}/history`, query, page };
      },
      view,
      headers,
    }),
    endpoint({
      method: 'GET',
      path: '/v1/history',
      access: 'admin',
      scope: 'history:read',
      summary: 'List the history',
      description: 'The audit log: who has changed which account, what and when, by any of the filters.',
      readsReplica: true,
      query: filters,
      answer,
      refusals: [refusals.badCursor],
      handle: async ({ reader, query }): Promise<Listed> => ({
        path: '/v1/history',
        query,
        page: await list(reader, query, query),
      }),
      view,
      headers,
    }),
    endpoint({
      method: 'POST',
      path: '/v1/history/:id/undo',
      access: 'admin',
      scope: 'users:write',
      summary: 'Undo a change',
      description:
        'Sets what the change has changed to what it was before, as a change of its own, so an undo can be undone. Refused where that has changed again since.',
      params: changeParams,
      revealedBy: 'history:read',
      answer: {
        status: 200,
        description:
          'The change that undoes it; for service tokens without `history:read`, without its values.',
        schema: change,
        headers: SEED_WARNING,
      },
      refusals: [
        refusals.accountInUse,
        refusals.changedSince,
        refusals.emailTaken,
        refusals.erased,
        refusals.invalidPreferences,
        refusals.lastAdmin,
        refusals.reasonRequired,
      ],
      async handle({ unit, params, sees }) {
        const isRevealed = sees('history:read');
        await undoChange(unit, params.id, rules).catch((error: unknown) => {
          throw isRevealed ? error : withoutDetails(error);
        });
        return { unit, isRevealed };
      },
      view: ({ unit: { recorded }, isRevealed }) =>
        (isRevealed ? changeView : writtenChangeView)(recorded[0] as Change),
    }),
    endpoint({
      method: 'POST',
      path: '/v1/history/:id/undo-request',
      access: 'admin',
      scope: 'users:write',
      summary: 'Undo everything that a request has changed',
      description:
        'For an import, a bulk change or a command that was a mistake: names any one of its changes.',
      params: changeParams,
      query: z.strictObject({
        partial: flag(
          'Undo what can be undone even if other changes cannot. Otherwise one such change refuses the undo.',
        ),
      }),
      transfers: 'accounts',
      revealedBy: 'history:read',
      answer: {
        status: 200,
        description: [
          'The report: everything that was changed under the same request id by the same author as this change is undone, newest first, in one transaction: a request, an import or a command.',
          'For service tokens without `history:read`, without the fields that have changed since, and without the values of changes.',
        ].join(' '),
        schema: undoReport,
        headers: SEED_WARNING,
      },
      refusals: [
        refusals.requestInUse,
        refusals.requestChangedSince,
        refusals.lastAdmin,
        refusals.reasonRequired,
        refusals.requestUnknown,
      ],
      dryRunAnswer: undoDryRun,
      async handle({ unit, params, query: { partial }, sees }) {
        const showsFields = sees('history:read');
        const request = await requestOf(unit, params.id);
        const report = await undoRequest(unit, request, { partial, rules, showsFields });
        const viewOf = showsFields ? changeView : writtenChangeView;
        return { ...report, changes: unit.dryRun ? [] : unit.recorded.map(viewOf) };
      },
      view: (report) => report,
      keeps: (report) => reportWithin(report, 'changes', MAX_KEPT_BYTES),
    }),
  ];
}

/** The refusal of an undo without what it tells of the entry and of the account: names of fields and of preferences. */
function withoutDetails(error: unknown): unknown {
  if (!(error instanceof Refusal)) return error;
  if (error.code === refusals.changedSince.code) return refusals.changedSinceUnseen();
  return error.code === refusals.invalidPreferences.code ? refusals.invalidPreferences([]) : error;
}
