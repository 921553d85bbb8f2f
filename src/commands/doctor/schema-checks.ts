import type { EntityManager } from '@mikro-orm/postgresql';
import { invocationOf } from '../../../config/invocation.ts';
import type { Settings } from '../../../config/settings.ts';
import type { Store } from '../../boot/open-store.ts';
import { type MigrationPlan, planMigrations } from '../../database/migration-plan.ts';
import { checkRights } from '../../database/rights.ts';
import { findTrigrams } from '../../database/trigrams.ts';
import { DatabaseUnfit } from '../../database/unfit.ts';
import { activeAdmins } from '../../services/accounts/admin-seeder.ts';
import { webhookStatuses } from '../../services/webhooks/status.ts';
import { BEHIND } from '../../store/feed-shift.ts';
import { publicationFaults } from '../../store/publication/survey.ts';
import { attempt, type Finding, ok, problem, warning } from './finding.ts';

/** Checks rights, the schema and what is in it. */
export async function checkSchema(store: Store, settings: Settings): Promise<Finding[]> {
  const em = store.orm.em.fork();
  let plan: MigrationPlan | undefined;
  const findings = await attempt('migrations', async () => {
    plan = await planMigrations(store.orm, em, store.migrations);
    return checkMigrations(plan, settings);
  });
  const isPending = plan !== undefined && (plan.pending.length > 0 || plan.adopts);
  findings.push(...(await attempt('rights', () => checkRole(em, isPending))));
  findings.push(...(await attempt('search', () => checkSearch(em, plan))));
  // What is in tables that are not there yet, or belong to others.
  if (plan === undefined || isPending) return findings;
  findings.push(...(await attempt('admins', () => checkAdmins(em, settings))));
  findings.push(...(await attempt('feed', () => checkFeed(em))));
  findings.push(...(await attempt('publication', () => checkPublication(em))));
  findings.push(...(await attempt('webhooks', () => checkDeliveries(em, settings))));
  return findings;
}

function checkMigrations(
  { pending, unknown, adopts }: MigrationPlan,
  { migrateOnBoot }: Settings,
): Finding[] {
  const findings: Finding[] = [];
  const how = migrateOnBoot
    ? `The next start applies them; so does ${invocationOf('migrate')}, which prints a plan first.`
    : `Run ${invocationOf('migrate')}: starts wait for it, because MIGRATE_ON_BOOT is false.`;
  if (adopts) {
    const message = 'a table users of another service is there, which the first migration adopts';
    findings.push(
      warning('migrations', message, `See what would be done: ${invocationOf('accounts', 'adopt')}`),
    );
  }
  if (pending.length > 0) {
    const message = `${pending.length} pending: ${pending.map(({ name }) => name).join(', ')}`;
    findings.push(warning('migrations', message, how));
  }
  if (unknown.length > 0) {
    const message = `the database has migrations of newer code: ${unknown.join(', ')}`;
    findings.push(warning('migrations', message, 'Run the newer version, unless this is a rollback.'));
  }
  return findings.length > 0 ? findings : [ok('migrations', 'all are applied')];
}

async function checkRole(em: EntityManager, isPending: boolean): Promise<Finding[]> {
  try {
    await checkRights(em, isPending);
    return [ok('rights', `the role may ${isPending ? 'migrate' : 'read and write all tables'}`)];
  } catch (error) {
    if (!(error instanceof DatabaseUnfit)) throw error;
    return [problem('rights', error.message, 'Run the statement in the message.')];
  }
}

async function checkSearch(em: EntityManager, plan: MigrationPlan | undefined): Promise<Finding[]> {
  const trigrams = await findTrigrams(em.getConnection() as never);
  if (trigrams === undefined) {
    const message = 'the extension pg_trgm is missing: searches work, and read the whole table';
    const mend = 'As a superuser, in this database: create extension pg_trgm; then restart, or migrate.';
    return [warning('search', message, mend)];
  }
  if (!trigrams.isOpen) {
    const message = `pg_trgm is in the schema ${trigrams.schema}, which the role may not use`;
    return [
      warning('search', message, `As its owner: grant usage on schema "${trigrams.schema}" to the role.`),
    ];
  }
  const gap = plan?.searchGap ?? undefined;
  if (gap !== undefined) return [warning('search', gap.reason, `Run: ${gap.statement}`)];
  const missing = plan?.missingIndexes ?? [];
  if (missing.length === 0) return [ok('search', `pg_trgm is in the schema ${trigrams.schema}`)];
  const message = `indexes are missing: ${missing.join(', ')}`;
  return [warning('search', message, `They are built, while requests go on, by: ${invocationOf('migrate')}`)];
}

async function checkAdmins(em: EntityManager, { initialAdmins }: Settings): Promise<Finding[]> {
  const { listed, total } = await activeAdmins(em, initialAdmins);
  const absent = initialAdmins.filter((email) => !listed.includes(email));
  if (total === 0) {
    const restart = absent.length > 0 ? 'Restart the service' : 'Name one in INITIAL_ADMINS and restart';
    const mend = `${restart}, or run: ${invocationOf('accounts', 'promote EMAIL')}`;
    return [problem('admins', 'there is no active admin', mend)];
  }
  if (absent.length > 0) {
    const message = `${absent.join(', ')} of INITIAL_ADMINS ${absent.length === 1 ? 'is no active admin' : 'are no active admins'} now`;
    return [
      warning('admins', message, 'The next start makes them active admins; take out who should not be one.'),
    ];
  }
  const named = initialAdmins.length > 0 ? `, ${initialAdmins.length} of them in INITIAL_ADMINS` : '';
  return [ok('admins', `${total} active${named}`)];
}

async function checkFeed(em: EntityManager): Promise<Finding[]> {
  const behind = await em.execute<unknown[]>(BEHIND);
  if (behind.length === 0) return [ok('feed', 'it continues after its last position')];
  const message = 'the database has moved to another cluster, and new changes would not be told';
  return [
    warning(
      'feed',
      message,
      'Restart the service, before anything is written: the start continues the feed.',
    ),
  ];
}

async function checkPublication(em: EntityManager): Promise<Finding[]> {
  const faults = await publicationFaults(em);
  // An app that does not use it needs no word about it.
  if (faults === undefined) return [];
  if (faults.length === 0) return [ok('publication', 'the app can use rollcall.accounts')];
  return [warning('publication', faults.join('; '), `Publish again: ${invocationOf('accounts', 'publish')}`)];
}

async function checkDeliveries(em: EntityManager, { webhooks }: Settings): Promise<Finding[]> {
  const statuses = await webhookStatuses(em, webhooks.hooks);
  return statuses.flatMap(({ hook, state, attempts, failingSince, lastError }): Finding[] => {
    if (state === 'active') return [];
    const message = `${hook.name} is ${state} after ${attempts} attempts since ${failingSince?.toISOString()}: ${lastError}`;
    const mend = `Mend the receiver, then: POST /v1/webhooks/${hook.name}/resume`;
    return [(state === 'parked' ? problem : warning)('webhooks', message, mend)];
  });
}
