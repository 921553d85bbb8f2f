import type { User } from '../domain/user.ts';

/** An account as its owner sees it. Dates are ISO 8601, in UTC. */
export function accountView(user: User) {
  return {
    id: user.id,
    email: user.email,
    name: user.name ?? null,
    role: user.role,
    preferences: user.preferences ?? {},
    storageMode: user.storageMode,
    createdAt: user.createdAt.toISOString(),
    updatedAt: user.updatedAt.toISOString(),
  };
}
