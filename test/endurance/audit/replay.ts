import { MikroORM } from '@mikro-orm/postgresql';
import { ormOptions } from '../../../mikro-orm.config.ts';
import { closeOrm } from '../../../src/database/close-orm.ts';
import { verifyHistory } from '../../../src/services/history/verification.ts';
import type { Finding } from './finding.ts';

/** Replays the whole history: it must give the accounts. */
export async function auditReplay(url: string): Promise<Finding[]> {
  const database = { url, poolMax: 2, connectTimeoutMs: 10_000, statementTimeoutMs: 600_000 };
  const orm = await MikroORM.init(ormOptions(database));
  const { findings } = await verifyHistory(orm.em.fork()).finally(() => closeOrm(orm));
  return findings.map((finding) => ({ kind: 'replay', detail: JSON.stringify(finding) }));
}
