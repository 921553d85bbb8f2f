import { z } from 'zod';

/** A schema as JSON Schema has it, with what zod adds from `meta`. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly description?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  /** What the OpenAPI document has in place of the schema. */
  readonly override?: Schema;
}

/** The types of schemas, as TypeScript. Those with an id in their `meta` get a name. */
export class TypePrinter {
  readonly #named = new Map<string, string>();

  /** The type of what a schema accepts (`input`), or of what it makes of that (`output`). */
  typeOf(schema: z.ZodType | undefined, io: 'input' | 'output'): string {
    if (schema === undefined) return 'undefined';
    return this.#print(this.#jsonOf(schema, io), '', false);
  }

  /** A schema as JSON Schema; what it refers to has got a name. */
  #jsonOf(schema: z.ZodType, io: 'input' | 'output'): Schema {
    const json = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Schema;
    for (const [name, definition] of Object.entries(json.$defs ?? {})) this.#define(name, definition);
    return json;
  }

  /** The type of a query: what becomes text may be given as what it is. */
  queryOf(schema: z.ZodType | undefined, without: readonly string[]): string {
    if (schema === undefined) return NOTHING;
    const json = this.#jsonOf(schema, 'input');
    const properties = Object.entries(json.properties ?? {}).filter(([name]) => !without.includes(name));
    if (properties.length === 0) return NOTHING;
    return this.#object({ ...json, properties: Object.fromEntries(properties) }, '', true);
  }

  /** The declarations of all types that have got a name. */
  declarations(): string {
    return [...this.#named]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, text]) => text)
      .join('\n');
  }

  #define(name: string, schema: Schema): void {
    const isObject = schema.properties !== undefined && schema.anyOf === undefined;
    const type = isObject ? this.#object(schema, '', false) : this.#print(schema, '', false);
    const text = `${comment(schema.description, '')}export ${isObject ? 'interface' : 'type'} ${name} ${isObject ? '' : '= '}${type}${isObject ? '' : ';'}\n`;
    if ((this.#named.get(name) ?? text) !== text) throw new Error(`Two schemas have the id ${name}.`);
    this.#named.set(name, text);
  }

  #print(schema: Schema, indent: string, isQuery: boolean): string {
    if (schema.$ref !== undefined) return schema.$ref.replace('#/$defs/', '');
    if (schema.const !== undefined) return literal(schema.const);
    if (schema.enum !== undefined) {
      const isFlag = isQuery && schema.enum.join() === 'true,false';
      return [...(isFlag ? ['boolean'] : []), ...schema.enum.map(literal)].join(' | ');
    }
    const options = schema.anyOf ?? schema.oneOf;
    if (options !== undefined) {
      return [...new Set(options.map((option) => this.#print(option, indent, isQuery)))].join(' | ');
    }
    if (schema.allOf !== undefined) {
      return schema.allOf.map((part) => this.#print(part, indent, isQuery)).join(' & ');
    }
    if (Array.isArray(schema.type)) {
      return schema.type.map((type) => this.#print({ ...schema, type }, indent, isQuery)).join(' | ');
    }
    switch (schema.type) {
      case 'string':
        if (!isQuery) return 'string';
        if (schema.override?.type === 'integer') return 'number | string';
        return schema.format === 'date-time' ? 'Date | string' : 'string';
      case 'number':
      case 'integer':
        return 'number';
      case 'boolean':
      case 'null':
        return schema.type;
      case 'array': {
        const item = this.#print(schema.items ?? {}, indent, isQuery);
        return /[|&]/.test(item.replace(/\{[\s\S]*\}/, '')) ? `(${item})[]` : `${item}[]`;
      }
      case 'object':
        return this.#object(schema, indent, isQuery);
      default:
        return schema.override ? this.#print(schema.override, indent, isQuery) : 'unknown';
    }
  }

  #object(schema: Schema, indent: string, isQuery: boolean): string {
    const inner = `${indent}  `;
    const lines = Object.entries(schema.properties ?? {}).map(([name, property]) => {
      const type = this.#print(property, inner, isQuery);
      const isOptional = !schema.required?.includes(name);
      const key = /^\w+$/.test(name) ? name : `'${name}'`;
      return `${comment(property.description ?? property.override?.description, inner)}${inner}${key}${isOptional ? '?' : ''}: ${type}${isOptional ? ' | undefined' : ''};\n`;
    });
    const isOpen = schema.additionalProperties !== undefined && schema.additionalProperties !== false;
    if (lines.length === 0) return isOpen ? 'Record<string, unknown>' : '{}';
    return `{\n${lines.join('')}${isOpen ? `${inner}[member: string]: unknown;\n` : ''}${indent}}`;
  }
}

/** As the records have it where there is no query. */
const NOTHING = 'Record<never, never>';

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value.replace(/['\\]/g, '\\$&')}'` : `${value}`;
}

/** A comment for people, on a line of its own. */
export function comment(text: string | undefined, indent: string): string {
  return text === undefined || text === '' ? '' : `${indent}/** ${text.replaceAll('*/', '*\\/')} */\n`;
}
