import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../repository.ts';

/** A schema of the OpenAPI document: what the reference reads of it. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly additionalProperties?: boolean | Schema;
}

/** What is sent or answered, by media type. */
export type Content = Readonly<
  Record<
    string,
    {
      readonly schema?: Schema;
      readonly example?: unknown;
      readonly examples?: Readonly<Record<string, { readonly value: Problem }>>;
    }
  >
>;

/** A refusal. */
export interface Problem {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
}

/** A parameter of an operation, or a header of an answer. */
export interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
  readonly example?: unknown;
}

/** An answer of an operation. */
export interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Parameter>>;
  readonly content?: Content;
}

/** An operation, with its method and its path. */
export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly description?: string; readonly content: Content };
  readonly responses: Readonly<Record<string, Answer>>;
}

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

/** The OpenAPI document: what the reference reads of it. */
export interface Document {
  readonly info: { readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Paths;
  readonly webhooks: Paths;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: Readonly<Record<string, { readonly description: string }>>;
    readonly [kind: string]: Readonly<Record<string, unknown>>;
  };
}

/** An operation with where it is. */
export interface Described {
  readonly method: string;
  /** The type of a message where it is one. */
  readonly path: string;
  /** Whether the service sends it, as a webhook. */
  readonly isMessage: boolean;
  readonly operation: Operation;
}

/** The document as the service's own sources make it, by the Node.js that they run on; the site is built with an older one too. */
export function readDocument(): { readonly text: string; readonly document: Document } {
  const node = join(ROOT, 'node_modules/.bin/node');
  if (!existsSync(node))
    throw new Error('The reference is made by the service: run npm ci in the repository.');
  const text = execFileSync(node, [join(ROOT, 'src/http/openapi/print.ts')], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  return { text, document: JSON.parse(text) };
}

/** All operations: the endpoints, then the messages. */
export function operationsIn({ paths, webhooks }: Document): Described[] {
  const all = (items: Paths, isMessage: boolean) =>
    Object.entries(items).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        isMessage,
        operation,
      })),
    );
  return [...all(paths, false), ...all(webhooks, true)];
}

/** Whether a media type is of JSON. */
export const isJson = (type: string): boolean => /[/+]json$/.test(type);

/** What a reference in the document leads to, or else the value itself. */
export function resolved<T extends { readonly $ref?: string }>(document: Document, value: T): T {
  if (value.$ref === undefined) return value;
  const [, kind = '', name = ''] = /^#\/components\/(\w+)\/(.+)$/.exec(value.$ref) ?? [];
  const found = document.components[kind]?.[name];
  if (found === undefined) throw new Error(`${value.$ref} is not in the document.`);
  const { $ref, ...beside } = value;
  return { ...(found as T), ...beside };
}
