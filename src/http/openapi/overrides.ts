import type { CreateDocumentOptions } from 'zod-openapi';

/** Formats whose values generated clients read as dates before they would match a pattern. */
const DATES = new Set<unknown>(['date', 'date-time']);

/** How the document differs from the JSON Schema of zod, for the sake of what is generated from it. */
export const overrides: CreateDocumentOptions['override'] & {} = ({ jsonSchema }) => {
  if (DATES.has(jsonSchema.format)) delete jsonSchema.pattern;
  if (jsonSchema.type === 'integer') {
    // The bounds of whole numbers in JavaScript, which are no bounds of ours: pages would show them as examples.
    if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    if (jsonSchema.maximum === undefined) jsonSchema.format = 'int64';
  }
};
