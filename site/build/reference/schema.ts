import { type Document, resolved, type Schema } from './document.ts';
import { code, described, escaped } from './html.ts';

/** A field as it is shown: a property, a parameter, a header. */
interface Field {
  readonly name: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
  readonly description?: string | undefined;
}

/** Shows schemas of a document as HTML. */
export class SchemaView {
  readonly #document: Document;

  constructor(document: Document) {
    this.#document = document;
  }

  /** A list of fields, each with its type, its meaning and its limits; what is in an object opens below it. */
  fields(fields: readonly Field[], isBody = false): string {
    const rows = fields.map(({ name, schema, isRequired, description }) => {
      const resolvedSchema = resolved(this.#document, schema);
      const meaning = description ?? resolvedSchema.description;
      const notes = [
        `<code class="name">${escaped(name)}</code>`,
        `<span class="type">${this.type(schema)}</span>`,
        ...(isRequired ? ['<span class="required">required</span>'] : []),
      ];
      const about = [meaning && described(meaning), limits(resolvedSchema)].filter(Boolean).join(' ');
      return `<dt>${notes.join(' ')}</dt><dd>${about && `<p>${about}</p>`}${this.#inside(schema, isBody)}</dd>`;
    });
    return `<dl class="fields">${rows.join('')}</dl>`;
  }

  /** What a body or an answer holds: its fields, one of several alternatives, or the type of its items. */
  body(schema: Schema): string {
    const { oneOf, anyOf, properties, description } = resolved(this.#document, schema);
    const alternatives = oneOf ?? anyOf;
    if (alternatives) {
      const each = alternatives.map((alternative) =>
        this.#opening(nameOf(alternative), this.body(alternative)),
      );
      return `<p>One of:</p>${each.join('')}`;
    }
    const about = description ? `<p>${described(description)}</p>` : '';
    return properties ? about + this.#properties(schema) : about || `<p>${this.type(schema)}</p>`;
  }

  /** A type in one line: `string or null`, `Account[]`, `"user" | "admin"`. */
  type(schema: Schema): string {
    const {
      type,
      items,
      enum: values,
      const: constant,
      format,
      oneOf,
      anyOf,
    } = resolved(this.#document, schema);
    if (constant !== undefined) return code(JSON.stringify(constant));
    if (values) return values.map((value) => code(JSON.stringify(value))).join(' | ');
    const alternatives = oneOf ?? anyOf;
    if (alternatives) return alternatives.map((alternative) => this.type(alternative)).join(' or ');
    const types = [type ?? 'any'].flat();
    const names = types.map((name) => {
      if (name === 'array') return `array of ${items ? this.type(items) : 'any'}`;
      if (name === 'object' && schema.$ref) return escaped(nameOf(schema));
      return name === 'string' && format && format !== 'binary' ? escaped(format) : escaped(name);
    });
    return names.join(' or ');
  }

  #properties(schema: Schema): string {
    const { properties = {}, required = [] } = resolved(this.#document, schema);
    return this.fields(
      Object.entries(properties).map(([name, schema]) => ({
        name,
        schema,
        isRequired: required.includes(name),
      })),
      true,
    );
  }

  /** The fields of an object, or of the objects in an array, which open on demand. */
  #inside(schema: Schema, isBody: boolean): string {
    if (!isBody) return '';
    const { items, properties, oneOf, anyOf } = resolved(this.#document, schema);
    if (items) return this.#inside(items, isBody);
    const alternatives = (oneOf ?? anyOf)?.filter((each) => resolved(this.#document, each).properties);
    if (alternatives?.length) return alternatives.map((each) => this.#inside(each, isBody)).join('');
    return properties ? this.#opening(nameOf(schema), this.#properties(schema)) : '';
  }

  #opening(name: string, html: string): string {
    return `<details><summary>${escaped(name)}</summary>${html}</details>`;
  }
}

/** The name of a schema, or what stands for it. */
function nameOf({ $ref }: Schema): string {
  return $ref?.replace(/^.*\//, '') ?? 'Fields';
}

/** What a value must be beside its type. */
function limits(schema: Schema): string {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, default: standard } = schema;
  // The bounds of integers themselves say nothing.
  const most = maximum === 2_147_483_647 ? undefined : maximum;
  return [
    between(minimum, most, ''),
    between(minLength === 1 ? undefined : minLength, maxLength, ' characters'),
    between(minItems, maxItems, ' items'),
    ...(standard === undefined ? [] : [`Default: ${code(JSON.stringify(standard))}.`]),
  ]
    .filter((text) => text !== '')
    .join(' ');
}

function between(from: number | undefined, to: number | undefined, unit: string): string {
  const [least, most] = [from, to].map((bound) => bound?.toLocaleString('en'));
  if (most === undefined) return least === undefined || from === 0 ? '' : `At least ${least}${unit}.`;
  return from === undefined || from === 0 ? `At most ${most}${unit}.` : `From ${least} to ${most}${unit}.`;
}
