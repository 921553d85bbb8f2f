import type { FuncKeywordDefinition } from 'ajv';

/** The keyword `uniqueItems` in linear time: ajv's own compares each item with each other one. */
export const uniqueItems: FuncKeywordDefinition = {
  keyword: 'uniqueItems',
  type: 'array',
  schemaType: 'boolean',
  error: { message: 'must NOT have duplicate items' },
  validate: (isRequired: boolean, items: readonly unknown[]) =>
    !isRequired || new Set(items.map(canonicalJson)).size === items.length,
};

/** JSON in which equal values are equal texts: the order of names does not count. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
