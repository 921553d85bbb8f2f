import type { EntityManager } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';

/** A statement with its parameters, as the driver takes them. */
export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** The parameters of a statement while it is being written: `bind` adds a value and returns what stands for it. */
export function parameters(): { values: unknown[]; bind: (value: unknown) => string } {
  const values: unknown[] = [];
  return { values, bind: (value) => `$${values.push(value)}` };
}

/**
 * Reads rows as they are: entities that nobody changes would take ten times as long to make. On a connection of the
 * pool, and so outside of any transaction of `em`.
 */
export async function readRows<Row>(em: EntityManager, { text, values }: Statement): Promise<Row[]> {
  const pool: Pool = await em.getConnection().getNativeClient();
  const { rows } = await pool.query({ text, values: [...values] });
  return rows as Row[];
}

/** A time as the driver reads it, which leaves it a text, to the microsecond. */
export function dateOf(em: EntityManager, text: string): Date {
  return em.getPlatform().parseDate(text);
}
