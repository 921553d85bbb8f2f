import { maskUrls } from '../../../config/mask.ts';
import type { Settings } from '../../../config/settings.ts';
import { openStore } from '../../boot/open-store.ts';
import type { Reached } from '../../database/reach-database.ts';
import { checkConnection } from './connection-check.ts';
import { attempt, type Finding, type Level, warning } from './finding.ts';
import { checkProviders, checkWebhooks } from './outside-checks.ts';
import { checkReplicas } from './replica-checks.ts';
import { checkSchema } from './schema-checks.ts';
import { checkClock, checkServer } from './server-checks.ts';
import { checkSettings } from './settings-checks.ts';
import { checkStorage } from './storage-check.ts';

/** What the doctor has found: the worst level of all, and each finding. */
export interface Diagnosis {
  readonly status: Level;
  readonly findings: readonly Finding[];
}

/**
 * Checks everything that a service depends on, and says for each what to mend. It changes nothing, starts nothing and sends no
 * message, needs nothing to work, and quotes no secret.
 */
export async function diagnose(): Promise<Diagnosis> {
  const { settings, findings } = await checkSettings();
  const others =
    settings === undefined
      ? [
          warning(
            'others',
            'nothing else is checked while settings are wrong',
            'Mend them, and run the doctor again.',
          ),
        ]
      : (
          await Promise.all([
            checkDatabase(settings),
            checkProviders(settings),
            checkWebhooks(settings),
            checkStorage(settings),
          ])
        ).flat();
  const all = [...findings, ...others].map((finding) => ({ ...finding, message: maskUrls(finding.message) }));
  const status = (['problem', 'warning'] as const).find((level) => all.some((one) => one.level === level));
  return { status: status ?? 'ok', findings: all };
}

async function checkDatabase(settings: Settings): Promise<Finding[]> {
  const { reached, findings } = await checkConnection(settings);
  return reached === undefined ? findings : [...findings, ...(await checkReached(reached, settings))];
}

async function checkReached(reached: Reached, settings: Settings): Promise<Finding[]> {
  const store = await openStore(reached);
  try {
    const em = store.orm.em.fork();
    return [
      ...(await attempt('server', () => checkServer(em, reached, settings))),
      ...(await attempt('clock', () => checkClock(em))),
      ...(await attempt('replicas', () => checkReplicas(em, settings))),
      ...(await checkSchema(store, settings)),
    ];
  } finally {
    await store.close();
  }
}

/** A diagnosis for people. */
export function diagnosisText({ findings }: Diagnosis): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const indent = ' '.repeat('problem'.length + width + 4);
  const lines = findings.map(({ check, level, message, mend }) => {
    const line = `${level.padEnd('problem'.length)}  ${check.padEnd(width)}  ${message}`;
    return mend === null ? line : `${line}\n${indent}${mend}`;
  });
  const count = (level: Level) => findings.filter((one) => one.level === level).length;
  return [...lines, '', `${count('ok')} ok, ${count('warning')} warnings, ${count('problem')} problems`].join(
    '\n',
  );
}
