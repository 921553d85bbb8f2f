import { z } from 'zod';

/** What can befall an account, in the words of the history. */
export const ACTIONS = ['created', 'updated', 'deleted'] as const;

/** What changes are told of, in the words of the history. */
export const FIELDS = ['email', 'name', 'role', 'status', 'storageMode', 'preferences'] as const;

/** One entry of `WEBHOOKS`. */
export interface Webhook {
  /** What its place in the feed is kept under; where none is given, made of its URL's host. */
  readonly name: string;
  readonly url: string;
  /** As Standard Webhooks writes them (`whsec_…`). All of them sign, so that one can take another's place. Never empty. */
  readonly secrets: readonly string[];
  /** `null`: any. */
  readonly actions: readonly (typeof ACTIONS)[number][] | null;
  /** Fields of an account, and paths in its preferences (`preferences.theme`). `null`: any. */
  readonly fields: readonly string[] | null;
}

/** What `.env.example` shows and production refuses. */
export const EXAMPLE_SECRET = `whsec_${Buffer.from('replace-me: openssl rand -base64 32').toString('base64')}`;

const NAME = /^[a-z\d][a-z\d._-]{0,99}$/;

const name = z
  .string('must be text')
  .regex(NAME, 'must be 1 to 100 of a-z 0-9 . _ -, the first a letter or digit');
const url = z.string('must be text').refine(isTarget, 'must be an https URL without user and fragment');
const secret = z.string('must be text').refine(isSecret, 'must be whsec_ and 24 to 64 bytes in base64');
const field = z
  .string('must be text')
  .refine(isField, `must be one of ${FIELDS.join(', ')}, or a path such as preferences.theme`);
const listOf = <T extends z.ZodType>(item: T) =>
  z.array(item, 'must be an array').min(1, 'must not be empty');

const entry = z
  .strictObject(
    {
      name: name.optional(),
      url,
      secret: z.preprocess((given) => (typeof given === 'string' ? [given] : given), listOf(secret)),
      actions: listOf(z.enum(ACTIONS, `must be one of ${ACTIONS.join(', ')}`)).optional(),
      fields: listOf(field).optional(),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `must not have ${JSON.stringify(issue.keys)}`
          : 'must be an object',
    },
  )
  .transform(
    ({ name, url, secret: secrets, actions = null, fields = null }): Webhook => ({
      name: name ?? nameOf(url),
      url,
      secrets,
      actions,
      fields,
    }),
  );

const entries = z.array(entry, 'must be an array');

/** The webhooks that a JSON text names; or why it names none, without a value of it, in words that go after "must". */
export function parseWebhooks(json: string): Webhook[] | string {
  const wanted = 'be a JSON array of {url, secret, name?, actions?, fields?}';
  let content: unknown;
  try {
    content = JSON.parse(json);
  } catch {
    return wanted;
  }
  const { data, error } = entries.safeParse(content);
  if (data !== undefined) return data;
  const faults = error.issues.map(({ path: [index, ...path], message }) =>
    index === undefined ? `it ${message}` : `${label(index, content)}${path.join('.') || 'it'} ${message}`,
  );
  return `${wanted}; ${faults.join('; ')}`;
}

/** What is wrong with webhooks that are well formed, in words that go after "must"; `undefined` where nothing is. */
export function webhooksFault(
  hooks: readonly Webhook[],
  { httpsOnly, refusePlaceholders }: { httpsOnly: boolean; refusePlaceholders: boolean },
): string | undefined {
  const faults = hooks.flatMap((hook, index) => {
    const earlier = hooks.slice(0, index);
    const wrong = [
      !NAME.test(hook.name) && 'name must be given',
      earlier.some(({ name }) => name === hook.name) && 'name must be one of its own',
      earlier.some(({ url }) => hrefOf(url) === hrefOf(hook.url)) && 'url must be one of its own',
      httpsOnly && !/^https:/i.test(hook.url) && 'url must be https, or WEBHOOKS_ALLOW_PRIVATE true',
      refusePlaceholders && hook.secrets.includes(EXAMPLE_SECRET) && 'secret must be one of your own',
    ];
    return wrong.filter((fault) => fault !== false).map((fault) => label(index, hooks) + fault);
  });
  return faults.length === 0 ? undefined : `be webhooks that can work: ${faults.join('; ')}`;
}

/** Which entry it is, counted from 1, with its name where that is one. */
function label(index: PropertyKey, content: unknown): string {
  const { name } = (content as { name?: unknown }[])[Number(index)] ?? {};
  return `entry ${Number(index) + 1}${typeof name === 'string' && NAME.test(name) ? ` (${name})` : ''}: `;
}

function nameOf(url: string): string {
  return new URL(url).host.replace(/[^a-z\d._-]+/g, '-').replace(/^-|-$/g, '');
}

function hrefOf(url: string): string {
  return new URL(url).href;
}

function isTarget(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:\/\/[^\s#]+$/i.test(text) && url.username === '' && url.password === '';
}

/** Standard Webhooks, Signature scheme: 24 to 64 bytes, in base64 (of which the lenient decoder takes more forms). */
function isSecret(text: string): boolean {
  const base64 = /^whsec_(.+)$/.exec(text)?.[1] ?? '';
  const bytes = Buffer.from(base64, 'base64');
  return bytes.length >= 24 && bytes.length <= 64 && bytes.toString('base64') === base64;
}

function isField(text: string): boolean {
  return FIELDS.some((known) => known === text) || (/^preferences\.[^.]/.test(text) && text.length <= 255);
}
