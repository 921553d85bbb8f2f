import { LIST_FORMATS } from './formats.ts';
import { type Variable, variables } from './schema.ts';

/** The types of entries of lists that have more than texts in them. */
const ENTRIES = `/** An issuer of tokens. */
export interface RollcallIssuer {
  /** Exactly as in the claim \`iss\`. */
  readonly issuer: string;
  /** Accepted \`aud\` values. Required, unless \`clients\` is set. */
  readonly audience?: string | readonly string[] | undefined;
  /** Default: what the issuer's discovery document says. */
  readonly jwksUrl?: string | null | undefined;
  /** Accepted \`client_id\` and \`azp\` values of tokens without an \`aud\`. */
  readonly clients?: string | readonly string[] | undefined;
  readonly emailClaim?: string | readonly string[] | null | undefined;
  readonly trustedEmailClaims?: string | readonly string[] | undefined;
  /** Domains whose emails the issuer may speak for. Default: any. */
  readonly domains?: string | readonly string[] | undefined;
}

/** A receiver of account changes. */
export interface RollcallWebhook {
  readonly url: string;
  /** \`whsec_…\`; several while one replaces another. */
  readonly secret: string | readonly string[];
  /** Default: the host of the URL. */
  readonly name?: string | undefined;
  readonly actions?: readonly string[] | undefined;
  readonly fields?: readonly string[] | undefined;
}
`;

/** The type of each format; a format that is not here is a text. */
const TYPES: Readonly<Record<string, string>> = {
  'whole-number': 'number',
  'further-port': 'number',
  transfers: 'number',
  'true-or-false': 'boolean',
  proxies: 'number | readonly string[] | string',
  issuers: 'readonly RollcallIssuer[]',
  webhooks: 'readonly RollcallWebhook[]',
};

/**
 * The TypeScript declaration of the settings that a program may give, with the doc of each: the part of `rollcall/koa`'s types that
 * follows from the schema.
 */
export function settingsDeclaration(): string {
  const groups = Map.groupBy(variables, ({ path }) => path.split('.')[0] ?? '');
  const members = [...groups].flatMap(([group, [first, ...rest]]) => {
    if (first === undefined) return [];
    if (first.path === group) return memberOf(group, first, '  ');
    const leaves = [first, ...rest].flatMap((variable) =>
      memberOf(variable.path.slice(group.length + 1), variable, '    '),
    );
    return [`  readonly ${group}?: {`, ...leaves, '  } | null | undefined;'];
  });
  return [
    ENTRIES,
    '/**',
    ' * The settings of Rollcall. What is left out comes from the environment, and `null` or an empty text stands for the default.',
    ' */',
    'export interface RollcallSettings {',
    ...members,
    '}',
    '',
  ].join('\n');
}

function memberOf(name: string, { doc, env, ...variable }: Variable, indent: string): string[] {
  return [
    `${indent}/** ${doc} Variable: ${env}. */`,
    `${indent}readonly ${name}?: ${typeOf(variable)} | null | undefined;`,
  ];
}

function typeOf({ format, default: standard }: Pick<Variable, 'format' | 'default'>): string {
  if (Array.isArray(format)) return format.map((word) => `'${word}'`).join(' | ');
  const known = TYPES[String(format)];
  if (known !== undefined) return known;
  return LIST_FORMATS.has(format) || Array.isArray(standard) ? 'readonly string[] | string' : 'string';
}
