/**
 * `npm run config`: prints the settings in force and the source of each value, with secrets masked.
 * With `--env-example`: prints the content of `.env.example`.
 */
import { envExample } from './example.ts';
import { exitOnSettingsError } from './exit.ts';
import { MASK, maskPasswords, maskUrls } from './mask.ts';
import { type Variable, variables } from './schema.ts';
import { type TracedSettings, traceSettings } from './settings.ts';
import type { Webhook } from './webhooks.ts';

function formatTable({ settings, origins }: TracedSettings): string {
  const rows = variables.map((variable) => ({
    name: variable.env,
    value: formatValue(variable, variable.path.split('.').reduce(getProperty, settings)),
    origin: origins.get(variable.env) ?? 'default',
  }));
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  const valueWidth = Math.max(...rows.map(({ value }) => value.length));
  return rows
    .map(({ name, value, origin }) => `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  (${origin})\n`)
    .join('');
}

function getProperty(holder: unknown, name: string): unknown {
  return (holder as Record<string, unknown>)[name];
}

function formatValue({ sensitive, format }: Variable, value: unknown): string {
  if (value === null || value === '') return '(none)';
  if (!sensitive) return maskUrls(format === 'issuers' ? JSON.stringify(value) : String(value));
  if (format === 'webhooks') return (value as Webhook[]).map(({ name }) => name).join(', ') || '(none)';
  if (format === 'replica-urls') return (value as string[]).map(maskPasswords).join(',') || '(none)';
  return format === 'postgres-url' || format === 'proxy-url' ? maskPasswords(String(value)) : MASK;
}

process.stdout.write(
  process.argv.includes('--env-example') ? envExample() : formatTable(exitOnSettingsError(traceSettings)),
);
