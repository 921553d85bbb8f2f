import type { Scope, ServiceToken } from '../../domain/service-token.ts';
import { askedKeys, type LookUps } from '../../store/batched-look-ups.ts';
import { USABLE } from '../../store/right-check.ts';

/** What a request with a service token needs to know about it. */
export type KnownServiceToken = Pick<ServiceToken, 'id' | 'name' | 'scopes'>;

/** Finds the token with a digest, if it may be used now, and notes its use. */
export type ServiceTokenLookUp = (digest: string) => Promise<KnownServiceToken | null>;

// The time of the last use is for people: it is written once a minute at most, and by whoever gets the row without waiting. Others
// may hold it, in another order.
const TEXT = `
  with known as (
    select asked.place::int, id, name::text, scopes
      from ${askedKeys('digest')}
      join service_tokens on service_tokens.digest = asked.digest and ${USABLE}
  ), used as (
    update service_tokens set last_used_at = now()
     where id in (
       select service_tokens.id from service_tokens join known using (id)
        where last_used_at is null or last_used_at < now() - interval '1 minute'
          for no key update of service_tokens skip locked
     )
  )
  select place, id, name, scopes from known`;

/** Creates the look-up that every request with a service token begins with, shared by those that arrive together. */
export function serviceTokenLookUp(lookUps: LookUps): ServiceTokenLookUp {
  return lookUps<string, KnownServiceToken & { readonly place: number }>({
    name: 'service-tokens-in-use',
    text: TEXT,
    values: (digests) => [[...digests]],
  });
}

/** Whether a caller may see what a scope shows: a service token needs it, an account needs none. */
export function sees(service: KnownServiceToken | undefined, scope: Scope): boolean {
  return service === undefined || service.scopes.includes(scope);
}
