import type { ServiceToken } from '../../domain/service-token.ts';
import type { LookUps } from '../../store/batched-look-ups.ts';
import { USABLE } from '../../store/right-check.ts';

/** What a request with a service token needs to know about it. */
export type KnownServiceToken = Pick<ServiceToken, 'id' | 'name' | 'scopes'>;

/** Finds the token with a digest, if it may be used now, and notes its use. */
export type ServiceTokenLookUp = (digest: string) => Promise<KnownServiceToken | null>;

// It writes once a minute at most: the time of the last use is for people. The update checks again, because several statements
// may have read the row before one of them writes it.
const TEXT = `
  with known as (
    select asked.place::int, id, name::text, scopes
      from unnest($1::text[]) with ordinality as asked (digest, place)
      join service_tokens on service_tokens.digest = asked.digest and ${USABLE}
  ), used as (
    update service_tokens set last_used_at = now() from known
     where service_tokens.id = known.id
       and (service_tokens.last_used_at is null or service_tokens.last_used_at < now() - interval '1 minute')
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
