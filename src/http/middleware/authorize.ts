import { DomainError } from '../../domain/errors.ts';
import type { Middleware } from '../context.ts';
import type { Endpoint } from '../endpoint.ts';

/** Lets those pass whom the endpoint is for: admins, whoever has an account, or a service token of the right scope. */
export const authorize = ({ access, scope }: Pick<Endpoint, 'access' | 'scope'>): Middleware =>
  async function authorize(ctx, next) {
    const { actor, service } = ctx.state;
    if (service !== undefined) {
      if (scope === undefined) throw new DomainError('forbidden', 'This is not for service tokens.');
      if (!service.scopes.includes(scope)) {
        throw new DomainError('forbidden', `This needs a service token with the scope ${scope}.`);
      }
    } else if (access === 'admin' && !actor?.isActiveAdmin()) {
      throw new DomainError('forbidden', 'This is for admins.');
    }
    await next();
  };
