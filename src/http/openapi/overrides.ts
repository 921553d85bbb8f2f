import type { CreateDocumentOptions } from 'zod-openapi';
import { KNOWN_VALUES } from '../schemas/open-list.ts';

/** Formats whose values generated clients read as dates before they would match a pattern. */
const DATES = new Set<unknown>(['date', 'date-time']);

type Schema = Parameters<CreateDocumentOptions['override'] & {}>[0]['jsonSchema'];

/** Writes a value or null as one type: some generated clients pass over a null that is an alternative, and read null as a date of 1970. */
function mergeNull(schema: Schema): void {
  const [value, none, ...others] = (schema.anyOf ?? []) as Schema[];
  if (none?.type !== 'null' || others.length > 0 || typeof value?.type !== 'string') return;
  delete schema.anyOf;
  const { type, enum: values, ...rest } = value;
  Object.assign(schema, {
    ...rest,
    type: [type, 'null'],
    ...(values && { enum: [...values, null] }),
    ...schema,
  });
}

/** Leaves a list open that may grow: its values are named, and others are allowed. */
function leaveOpen(schema: Schema): void {
  const known = schema[KNOWN_VALUES];
  if (!Array.isArray(known)) return;
  delete schema.enum;
  const values = `So far ${known.map((value) => `\`${value}\``).join(', ')}; others may be added.`;
  schema.description = [schema.description, values].filter(Boolean).join(' ');
}

/** How the document differs from the JSON Schema of zod, for the sake of what is generated from it. */
export const overrides: CreateDocumentOptions['override'] & {} = ({ jsonSchema }) => {
  leaveOpen(jsonSchema);
  mergeNull(jsonSchema);
  if (DATES.has(jsonSchema.format)) delete jsonSchema.pattern;
  if (jsonSchema.type === 'integer') {
    // The bounds of whole numbers in JavaScript, which are no bounds of ours: pages would show them as examples.
    if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    if (jsonSchema.maximum === undefined) jsonSchema.format = 'int64';
  }
};
