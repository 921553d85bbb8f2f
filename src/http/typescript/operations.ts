import { z } from 'zod';
import { type Endpoint, isWrite } from '../endpoint.ts';

/** An endpoint as the client has it. */
export interface Operation {
  readonly endpoint: Endpoint;
  /** The path of its name: `users.history.list`. */
  readonly name: readonly string[];
  /** What a call is given beside ids, `undefined`: nothing; of a list, `items` where it has no query. */
  readonly takes: 'list' | 'items' | 'query' | 'body' | 'upload' | undefined;
}

/** The names of methods that need no other. */
const VERBS = { GET: 'get', PATCH: 'update', PUT: 'replace', DELETE: 'delete' } as const;

/**
 * The endpoints that the client calls by name. The path gives the nouns, and the method the verb: `GET /v1/users/:id` is `users.get`. A GET
 * of a list is `list`; what a POST does is its last word, or `create` where the path is that of a list; a download is its last word too.
 * Probes, pages and the doors of the console have no name.
 */
export function operationsOf(endpoints: readonly Endpoint[]): Operation[] {
  const routes = endpoints.filter(
    ({ path, isDoor, isPage }) => path.startsWith('/v1/') && !isDoor && !isPage,
  );
  const lists = new Set(routes.filter(isList).map(({ path }) => path));
  return routes.map((endpoint) => {
    const nouns = endpoint.path
      .split('/')
      .slice(2)
      .filter((part) => !part.startsWith(':'))
      .map((part) => part.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()));
    return { endpoint, name: nameOf(endpoint, nouns, lists), takes: takenBy(endpoint) };
  });
}

function nameOf(endpoint: Endpoint, nouns: readonly string[], lists: ReadonlySet<string>): string[] {
  const { method, path, transfers } = endpoint;
  if (isList(endpoint)) return [...nouns, 'list'];
  if (method === 'POST' && lists.has(path)) return [...nouns, 'create'];
  if (method === 'POST' || transfers !== undefined) return [...nouns];
  return [...nouns, VERBS[method]];
}

/** Whether it answers with items. */
function isList({ method, answer: { schema } }: Endpoint): boolean {
  return method === 'GET' && schema instanceof z.ZodObject && 'items' in schema.shape;
}

function takenBy(endpoint: Endpoint): Operation['takes'] {
  if (endpoint.upload) return 'upload';
  if (endpoint.body) return 'body';
  if (isList(endpoint)) return endpoint.query ? 'list' : 'items';
  return endpoint.query && !isWrite(endpoint) ? 'query' : undefined;
}

/** The table of names that the client's code has: a method, a path, and what is taken. */
export function operationsTable(operations: readonly Operation[]): string {
  const entries = treeOf(operations, ({ endpoint: { method, path }, takes }) =>
    [method, path, ...(takes ? [takes] : [])].join(' '),
  );
  return `// Made of the endpoint records by \`node src/http/typescript/print.ts\`. A test compares the two.

/** Every endpoint by its name: its method, its path, and what it takes beside ids. */
export const OPERATIONS = ${printed(entries, '')} as const;
`;
}

/** What something says of each operation, by the parts of its name. */
export interface OperationTree {
  readonly [name: string]: string | OperationTree;
}

/** A tree of what `leaf` says of each operation. Throws where two have the same name. */
export function treeOf(
  operations: readonly Operation[],
  leaf: (operation: Operation) => string,
): OperationTree {
  const root: Record<string, unknown> = {};
  for (const operation of operations) {
    const last = operation.name.at(-1) ?? '';
    let at = root;
    for (const part of operation.name.slice(0, -1)) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    if (typeof at !== 'object' || last in at) {
      throw new Error(`Two endpoints have the name ${operation.name.join('.')}.`);
    }
    at[last] = leaf(operation);
  }
  return root as OperationTree;
}

function printed(tree: OperationTree, indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(tree).map(
    ([name, entry]) =>
      `${inner}${name}: ${typeof entry === 'string' ? `'${entry}'` : printed(entry, inner)},\n`,
  );
  return `{\n${lines.join('')}${indent}}`;
}
