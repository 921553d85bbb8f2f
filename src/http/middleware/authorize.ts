import { refusals } from '../../domain/refusals.ts';
import { sees } from '../../services/access/service-token-look-up.ts';
import type { Middleware } from '../context.ts';
import type { Endpoint } from '../endpoint.ts';

/**
 * Admits the callers that the endpoint is for: admins, anyone with an account, or service tokens with its scope. The unit of
 * work checks the same right again before it commits.
 */
export const authorize = ({ access, scope }: Pick<Endpoint, 'access' | 'scope'>): Middleware =>
  function authorize(ctx, next) {
    const { actor, service, session, unit } = ctx.state;
    if (service !== undefined) {
      if (scope === undefined) throw refusals.accountsOnly();
      if (!sees(service, scope)) throw refusals.scopeMissing(scope);
    } else if (access === 'admin' && !actor?.isActiveAdmin()) {
      throw refusals.adminsOnly();
    }
    if (service !== undefined) unit.right = { serviceTokenId: service.id };
    else if (actor !== undefined) {
      unit.right = { accountId: actor.id, asAdmin: access === 'admin', sessionId: session?.id };
    }
    return next();
  };
