import type { TestDatabase } from './database.ts';

/** A row of `users`. */
export interface AccountRow {
  readonly id: number;
  readonly email: string;
  readonly name: string | null;
  readonly role: string;
  readonly preferences: Record<string, unknown> | null;
  readonly storage_mode: string;
  readonly status: string;
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** When the accounts of the tests were created and last changed: any later change stands out. */
export const LONG_AGO = '2020-01-02T03:04:05.678Z';

/** Inserts an account and its history without the service. Missing values have the defaults of a new account. */
export async function addAccount(
  database: TestDatabase,
  email: string,
  { name = null, role = 'user', preferences = null, storage_mode = 'local' }: Partial<AccountRow> = {},
): Promise<AccountRow> {
  const [row] = await database.query<AccountRow>(
    `with added as (
       insert into users (email, name, role, preferences, storage_mode, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $6) returning *
     ), recorded as (
       insert into changes (at, actor, user_id, action, after, fields, version)
       select updated_at, 'test', id, 'created',
              jsonb_build_object('email', email, 'name', name, 'role', role, 'status', status,
                'storageMode', storage_mode, 'preferences', coalesce(preferences, '{}')),
              '{email,name,role,status,storageMode,preferences}', version
         from added
     )
     select * from added`,
    [email, name, role, preferences, storage_mode, LONG_AGO],
  );
  return row as AccountRow;
}

/** All rows of `users`, by id. */
export function accountsIn(database: TestDatabase): Promise<AccountRow[]> {
  return database.query<AccountRow>('select * from users order by id');
}
