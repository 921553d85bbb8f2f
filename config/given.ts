import { type Settings, type Variable, variables } from './schema.ts';
import type { Source } from './sources.ts';

/** Settings as a program gives them: any part of {@link Settings}; lists also as the text that a variable has. */
export type GivenSettings = Part<Settings>;

type Part<T> = { readonly [K in keyof T]?: Leaf<T[K]> | null | undefined };

type Leaf<T> = T extends readonly (infer Item)[]
  ? readonly (Item extends string ? Item : object)[] | string
  : T extends object
    ? Part<T>
    : T;

/** What such settings are called in problems. */
export const GIVEN = 'createRollcall';

/** Turns settings that a program gives into a source that wins over the environment, with the problems in them. */
export function givenSource(given: GivenSettings): { source: Source; problems: readonly string[] } {
  const env: NodeJS.Dict<string> = {};
  const unset = new Set<string>();
  const problems: string[] = [];
  for (const [path, value] of leavesOf(given)) {
    const variable = variables.find((known) => known.path === path);
    if (groupAt(path).length > 0) problems.push(`${path} of ${GIVEN} must be an object of settings`);
    else if (variable === undefined)
      problems.push(`${GIVEN} has no setting ${path}: remove it, or correct its name`);
    // Neither is a value of any variable.
    else if (value === null || value === '') unset.add(variable.env);
    else env[variable.env] = textOf(variable, value);
  }
  return { source: { name: GIVEN, env, unset }, problems };
}

type GivenLeaf = [path: string, value: unknown];

/** The settings of a group, none where there is no such group. */
function groupAt(path: string): readonly Variable[] {
  return variables.filter((known) => known.path.startsWith(`${path}.`));
}

/** The values of an object and of the objects in it that are groups of settings, by their paths. */
function* leavesOf(part: object, prefix = ''): Generator<GivenLeaf> {
  for (const [name, value] of Object.entries(part)) {
    const path = prefix + name;
    const group = groupAt(path);
    if (value === null)
      yield* (group.length > 0 ? group : [{ path }]).map((leaf): GivenLeaf => [leaf.path, null]);
    else if (group.length > 0 && typeof value === 'object') yield* leavesOf(value, `${path}.`);
    else if (value !== undefined) yield [path, value];
  }
}

/** The text that a variable would have. */
function textOf({ format }: Variable, value: unknown): string {
  if (typeof value !== 'object' || format === 'issuers' || format === 'webhooks')
    return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  // An empty list is one all the same, where the default is another.
  return Array.isArray(value) ? value.join(',') || ',' : String(value);
}
