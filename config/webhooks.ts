import { z } from 'zod';
import { ACTIONS, STATE_FIELDS } from '../src/domain/change.ts';
import type { Webhook } from '../src/domain/webhook.ts';

export type { Webhook } from '../src/domain/webhook.ts';

/** The secret in `.env.example`, which production refuses. */
export const EXAMPLE_SECRET = `whsec_${Buffer.from('replace-me: openssl rand -base64 32').toString('base64')}`;

const NAME = /^[a-z\d][a-z\d._-]{0,99}$/;

const name = z
  .string('must be text')
  .regex(NAME, 'must be 1 to 100 characters of a-z 0-9 . _ -, starting with a letter or digit');
const url = z.string('must be text').refine(isTarget, 'must be an https URL without user or fragment');
const secret = z
  .string('must be text')
  .refine(isSecret, 'must be whsec_ followed by 24 to 64 bytes in base64');
const field = z
  .string('must be text')
  .refine(isField, `must be one of ${STATE_FIELDS.join(', ')}, or a path such as preferences.theme`);
const nonEmptyList = <T extends z.ZodType>(item: T) =>
  z.array(item, 'must be an array').min(1, 'must not be empty');

const entry = z
  .strictObject(
    {
      name: name.optional(),
      url,
      secret: z.preprocess((given) => (typeof given === 'string' ? [given] : given), nonEmptyList(secret)),
      actions: nonEmptyList(z.enum(ACTIONS, `must be one of ${ACTIONS.join(', ')}`)).optional(),
      fields: nonEmptyList(field).optional(),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `has unknown properties ${JSON.stringify(issue.keys)}`
          : 'must be an object',
    },
  )
  .transform(
    ({ name, url, secret: secrets, actions = null, fields = null }): Webhook => ({
      name: name ?? deriveName(url),
      url,
      secrets,
      actions,
      fields,
    }),
  );

const entries = z.array(entry, 'must be an array');

/** The webhooks in a JSON text, or the requirement that the text breaks: worded to follow "must", without values. */
export function parseWebhooks(json: string): Webhook[] | string {
  const shape = 'be a JSON array of {url, secret, name?, actions?, fields?}';
  let content: unknown;
  try {
    content = JSON.parse(json);
  } catch {
    return shape;
  }
  const { data, error } = entries.safeParse(content);
  if (data !== undefined) return data;
  const problems = error.issues.map(({ path: [index, ...path], message }) => {
    if (index === undefined) return `it ${message}`;
    const property = path.length > 0 ? `: ${path.join('.')}` : '';
    return `${labelEntry(index, content)}${property} ${message}`;
  });
  return `${shape}; ${problems.join('; ')}`;
}

/** The requirement that well-formed webhooks break, worded to follow "must"; `undefined` if they are valid. */
export function findBrokenRequirement(
  hooks: readonly Webhook[],
  { httpsOnly, refusePlaceholders }: { httpsOnly: boolean; refusePlaceholders: boolean },
): string | undefined {
  const problems = hooks.flatMap((hook, index) => {
    const earlier = hooks.slice(0, index);
    const broken = [
      !NAME.test(hook.name) && 'name must be set, because the host of the url makes no valid one',
      earlier.some(({ name }) => name === hook.name) && 'name must be unique',
      earlier.some(({ url }) => normalizeUrl(url) === normalizeUrl(hook.url)) && 'url must be unique',
      httpsOnly && !/^https:/i.test(hook.url) && 'url must be https unless WEBHOOKS_ALLOW_PRIVATE is true',
      refusePlaceholders &&
        hook.secrets.includes(EXAMPLE_SECRET) &&
        'secret must not be the one from .env.example',
    ];
    return broken.filter((rule) => rule !== false).map((rule) => `${labelEntry(index, hooks)}: ${rule}`);
  });
  return problems.length === 0 ? undefined : `be valid webhooks: ${problems.join('; ')}`;
}

/** Names an entry by its number, from 1, and by its name if that is valid. */
function labelEntry(index: PropertyKey, content: unknown): string {
  const { name } = (content as { name?: unknown }[])[Number(index)] ?? {};
  return `entry ${Number(index) + 1}${typeof name === 'string' && NAME.test(name) ? ` (${name})` : ''}`;
}

function deriveName(url: string): string {
  return new URL(url).host.replace(/[^a-z\d._-]+/g, '-').replace(/^-|-$/g, '');
}

function normalizeUrl(url: string): string {
  return new URL(url).href;
}

function isTarget(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:\/\/[^\s#]+$/i.test(text) && url.username === '' && url.password === '';
}

/** Standard Webhooks, Signature scheme: 24 to 64 bytes in base64. Comparing rejects what Node's decoder tolerates. */
function isSecret(text: string): boolean {
  const base64 = /^whsec_(.+)$/.exec(text)?.[1] ?? '';
  const bytes = Buffer.from(base64, 'base64');
  return bytes.length >= 24 && bytes.length <= 64 && bytes.toString('base64') === base64;
}

function isField(text: string): boolean {
  return (
    STATE_FIELDS.some((known) => known === text) || (/^preferences\.[^.]/.test(text) && text.length <= 255)
  );
}
