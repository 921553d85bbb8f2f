import type { MikroORM } from '@mikro-orm/postgresql';
import type { Middleware } from '../context.ts';

/** Methods that promise to change nothing (RFC 9110, section 9.2.1). */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Makes of each request one unit of work: its own fork of the EntityManager, with an identity map that no other request
 * sees, flushed once, in one transaction, when the handler is done. A handler that throws leaves no trace. A safe
 * request must end clean: one that has something to flush is a bug, and fails as one.
 */
export const unitOfWork = (orm: MikroORM): Middleware =>
  async function unitOfWork(ctx, next) {
    const em = orm.em.fork();
    ctx.state.em = em;
    await next();
    if (!SAFE_METHODS.has(ctx.method)) {
      await em.flush();
      return;
    }
    const unit = em.getUnitOfWork();
    unit.computeChangeSets();
    if (unit.getChangeSets().length > 0)
      throw new Error(`${ctx.method} ${ctx.state.route} tried to change something.`);
  };
