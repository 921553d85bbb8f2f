import { defineEntity, JsonType, type Platform, p, Type } from '@mikro-orm/core';
import { EMAIL_MAX_LENGTH, isAmbiguousTyped, isEmail, isPlainEmail, normalizeEmail } from './email.ts';
import { type Preferences, preferencesDiffer } from './preferences.ts';
import { refusals } from './refusals.ts';

/** What an account may do. The column takes any string, so that a role can be added without a migration. */
export const ROLES = ['user', 'admin'] as const;
/** A role. */
export type Role = (typeof ROLES)[number];

/** Where an account's data lives: on the device, or in the account. */
export const STORAGE_MODES = ['local', 'account'] as const;
/** A storage mode. */
export type StorageMode = (typeof STORAGE_MODES)[number];

/** Whether an account may be used. */
export const STATUSES = ['active', 'suspended'] as const;
/** A status. */
export type Status = (typeof STATUSES)[number];

/** A time as ISO 8601, in UTC, with milliseconds: as the history has it, which compares it as it is. */
class IsoTime extends Type<string | null, string | null> {
  override convertToJSValue(value: string | null, platform: Platform): string | null {
    return value === null ? null : platform.parseDate(value).toISOString();
  }

  override convertToDatabaseValue(value: string | null): string | null {
    return value;
  }

  override getColumnType(): string {
    return 'timestamptz';
  }

  override compareAsType(): string {
    return 'string';
  }
}

/**
 * The columns of an account: the one list of them. The history, the import, the export, the lists and the settings read it,
 * so that a new column needs an entry here, a migration, its schema (`services/accounts/fields.ts`) and the view.
 */
const columns = {
  id: p.integer().primary(),
  email: p.string().length(EMAIL_MAX_LENGTH),
  name: p.string().length(255).nullable(),
  role: p.string().$type<Role>().length(50).default('user'),
  status: p
    .enum([...STATUSES])
    .$type<Status>()
    .columnType('varchar(20)')
    .default('active'),
  storageMode: p
    .enum([...STORAGE_MODES])
    .$type<StorageMode>()
    .columnType('varchar(10)')
    .default('local'),
  preferences: p.type(JsonType).$type<Preferences>().columnType('jsonb').nullable(),
  version: p.integer().version().default(1),
  createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  updatedAt: p
    .datetime()
    .columnType('timestamptz')
    .defaultRaw('now()')
    // Always later than before, also when another machine's clock is ahead: the history is ordered by it.
    .onUpdate(({ updatedAt }) => new Date(Math.max(Date.now(), updatedAt.getTime() + 1))),
  /** When the role of an admin ends; null for a role without an end. */
  roleUntil: p.type(IsoTime).$type<string | null>().columnType('timestamptz').nullable(),
};

/** The name of an account's column, as a property. */
export type Column = keyof typeof columns;

/** All columns of an account. */
export const COLUMNS = Object.keys(columns) as readonly Column[];

/** All that is shown of an account: its columns, and when it was last seen. */
export const SHOWN_FIELDS = [...COLUMNS, 'lastSeenAt'] as const;

/** How the entity maps to its table; `store/tables/user.ts` adds the indexes. */
export const UserSchema = defineEntity({ name: 'User', tableName: 'users', properties: columns });

/** An account: one person, known by one email address. */
export class User extends UserSchema.class {
  /**
   * When it last made a request, to the hour; null where it never has, or not since that is noted. Nobody decides it: it is outside of
   * the columns, the history and the version, and `store/tables/user.ts` says where it is.
   */
  declare readonly lastSeenAt?: Date | null;

  /** Whether it was an admin whose time is over, by the database when it was read; the last active admin's never is. */
  declare isLapsed?: boolean;

  /**
   * A new account with the role `user`; it exists once its unit of work has been flushed.
   * Throws `email_invalid`.
   */
  constructor(email: string) {
    super();
    this.rename(email);
  }

  /** Whether the account can administer. */
  isActiveAdmin(): boolean {
    return isActiveAdmin(this);
  }

  /** Makes the account an active admin. Returns whether that changed anything. */
  promote(): boolean {
    if (this.isActiveAdmin()) return false;
    Object.assign(this, ACTIVE_ADMIN, { roleUntil: null, isLapsed: false });
    return true;
  }

  /** Sets the preferences, unless they say the same as before: the order of names does not count, nor does null beside `{}`. */
  prefer(preferences: Preferences): void {
    if (preferencesDiffer(this.preferences ?? {}, preferences)) this.preferences = preferences;
  }

  /** Gives the account another email address. Throws `email_invalid`. */
  rename(email: string): void {
    this.email = acceptEmail(email);
  }
}

UserSchema.setClass(User);

/** The form in which an email is stored that somebody has typed or a file contains. Throws `email_invalid`. */
export function acceptEmail(typed: string): string {
  if (isPlainEmail(typed)) return typed;
  const email = normalizeEmail(typed);
  if (!isEmail(email)) throw refusals.emailInvalid();
  if (isAmbiguousTyped(typed)) throw refusals.emailAmbiguous(email);
  return email;
}

/** An account as data: an entity, or a row of a list. */
export type Account = Pick<User, Column | 'lastSeenAt' | 'isLapsed'>;

/** Whether an account with this role is an admin, active or not. */
export function isAdmin({ role }: Partial<Pick<Account, 'role'>>): boolean {
  return role === ACTIVE_ADMIN.role;
}

/** The values that make an account an active admin. */
export const ACTIVE_ADMIN = { role: 'admin', status: 'active' } as const;

/** Whether an account with these values can administer. */
export function isActiveAdmin({
  role,
  status,
  isLapsed = false,
}: Partial<Pick<Account, 'role' | 'status' | 'isLapsed'>>): boolean {
  return role === ACTIVE_ADMIN.role && status === ACTIVE_ADMIN.status && !isLapsed;
}

/** A role to give, and its end. `undefined` leaves either as it is. */
export interface RoleChange {
  readonly role?: Role | undefined;
  /** ISO 8601, in UTC. */
  readonly roleUntil?: string | null | undefined;
}

/** Throws `invalid_input` for a change that gives an end that is past, by `now`, or gives one to any other role than that of admins. */
export function requireRoleChange(
  was: Partial<Pick<Account, 'role' | 'roleUntil'>>,
  change: RoleChange,
  now: Date,
): void {
  if (typeof change.roleUntil !== 'string') return;
  const isAdmins = (change.role ?? was.role) === ACTIVE_ADMIN.role;
  const isNew = change.roleUntil !== (was.roleUntil ?? null);
  if (isAdmins && (!isNew || change.roleUntil > now.toISOString())) return;
  throw refusals.invalidRoleEnd(isAdmins ? 'Must be in the future.' : 'Only the role of an admin can end.');
}

/**
 * The role after a change, and its end. Only the role of an admin has one, and an end that is past is dropped where the account becomes
 * an admin again.
 */
export function roleAfter(
  was: Partial<Pick<Account, 'role' | 'roleUntil'>>,
  change: RoleChange,
  now: Date,
): { role: Role; roleUntil: string | null } {
  const role = change.role ?? was.role ?? 'user';
  const end = was.roleUntil ?? null;
  if (role !== ACTIVE_ADMIN.role) return { role, roleUntil: null };
  if (change.roleUntil !== undefined) return { role, roleUntil: change.roleUntil };
  const isAgain = change.role !== undefined && end !== null && end <= now.toISOString();
  return { role, roleUntil: isAgain ? null : end };
}
