import type { EntityManager } from '@mikro-orm/postgresql';
import type { AccountValues, ChangeDraft } from '../domain/change.ts';
import { ACTIVE_ADMIN } from '../domain/user.ts';
import { lapsedSql } from './lapsed.ts';
import { runAlone } from './statements.ts';
import type { Unit } from './unit.ts';

/** The admins that a unit of work has changed. */
export interface AdminsTouched {
  readonly ids: Set<number>;
  /** The emails that some of them no longer have. */
  readonly emails: Set<string>;
  /** The ids of those that were no active admins before. */
  readonly made: Set<number>;
}

/** Notes the admins among a unit's drafts, before their values are erased. */
export function noteAdmins(
  { adminsTouched: { ids, emails, made } }: Unit,
  drafts: readonly ChangeDraft[],
): void {
  for (const { ofAdmin, userId, action, before } of drafts) {
    if (!ofAdmin) continue;
    ids.add(userId);
    if (before?.email !== undefined) emails.add(before.email);
    if (action === 'created' || (before !== null && wasNoAdmin(before))) made.add(userId);
  }
}

/** Whether the values that a change has replaced were those of no active admin. */
function wasNoAdmin({ role, status, roleUntil }: AccountValues): boolean {
  return (
    (role !== undefined && role !== ACTIVE_ADMIN.role) ||
    (status !== undefined && status !== ACTIVE_ADMIN.status) ||
    (typeof roleUntil === 'string' && roleUntil <= new Date().toISOString())
  );
}

/**
 * Those of `emails` that are no longer active admins because of what a unit has committed. One query; none where the unit
 * has changed no admin.
 */
export async function lostAdmins(
  em: EntityManager,
  touched: AdminsTouched,
  emails: readonly string[],
): Promise<string[]> {
  if (touched.ids.size === 0 || emails.length === 0) return [];
  const rows = await runAlone<{ email: string }>(em, {
    text: `
      select listed.email from unnest($1::text[]) as listed (email) left join users using (email)
       where coalesce(users.role <> 'admin' or users.status <> 'active' or ${lapsedSql('users')}, true)
         and (users.id = any($2::int[]) or listed.email = any($3::text[]))
       order by listed.email`,
    values: [[...emails], [...touched.ids], [...touched.emails]],
  });
  return rows.map(({ email }) => email);
}
