import { hash } from 'node:crypto';

/**
 * The key that limits count an account by, of fixed length. Made of its email (normalized) and not of its id: whoever deletes
 * their account and signs in again has another id, and still the limits of before.
 */
export function limitKey(email: string): string {
  return hash('sha256', email, 'base64url');
}
