import { parseDatabaseUrl } from '../../../config/database-url.ts';
import { forgottenProduction } from '../../../config/forgotten-production.ts';
import { invocationOf } from '../../../config/invocation.ts';
import { nodeProblem } from '../../../config/node-version.ts';
import {
  type Settings,
  SettingsError,
  type TracedSettings,
  traceSettings,
} from '../../../config/settings.ts';
import { preferenceRules } from '../../services/accounts/preferences-schema.ts';
import { attempt, type Finding, ok, problem, warning } from './finding.ts';

/** Checks Node.js and the settings. Without valid settings, there are only findings. */
export async function checkSettings(): Promise<{ settings?: Settings; findings: Finding[] }> {
  const tooOld = nodeProblem();
  const node =
    tooOld === undefined
      ? ok('node', `Node.js ${process.versions.node}`)
      : problem('node', tooOld, 'Upgrade Node.js.');
  let traced: TracedSettings;
  try {
    traced = traceSettings();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const mend = 'Correct this setting: docs/settings.md has all of them.';
    return { findings: [node, ...error.problems.map((text) => problem('settings', text, mend))] };
  }
  const { settings, origins } = traced;
  const set = ok(
    'settings',
    `valid, for ${settings.environment}; ${origins.size} are set (${invocationOf('config')} prints all)`,
  );
  return {
    settings,
    findings: [
      node,
      set,
      ...checkEnvironment(),
      ...checkUrl(settings),
      ...(await checkPreferences(settings)),
    ],
  };
}

function checkEnvironment(): Finding[] {
  const forgotten = forgottenProduction(process.stdout.isTTY);
  if (forgotten === undefined) return [];
  return [warning('settings', forgotten.replace(/^Warning: /, ''), 'Set ENVIRONMENT.')];
}

function checkUrl({ database: { url } }: Settings): Finding[] {
  const unused = url === null ? [] : parseDatabaseUrl(url).unused;
  if (unused.length === 0) return [];
  const message = `DATABASE_URL has parameters without effect: ${unused.join(', ')}`;
  return [warning('settings', message, 'Take them out of DATABASE_URL.')];
}

function checkPreferences({ preferences }: Settings): Promise<Finding[]> {
  return attempt(
    'preferences',
    async () => {
      const findings: Finding[] = [];
      await preferenceRules(preferences, (slow) =>
        findings.push(
          warning(
            'preferences',
            `PREFERENCES_SCHEMA has a part that a hostile text can make slow: ${JSON.stringify(slow)}`,
            'Write this part without nested repetitions, or limit the length of the text.',
          ),
        ),
      );
      if (preferences.schema === null || findings.length > 0) return findings;
      return [ok('preferences', `the schema in ${preferences.schema} is valid`)];
    },
    'Correct the file of PREFERENCES_SCHEMA; no start succeeds until then.',
  );
}
