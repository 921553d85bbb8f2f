import { serviceActor } from '../../domain/service-token.ts';
import type { RequestState } from '../context.ts';

/** The name of whoever asks, for what is counted and remembered in this process: that of an account or of a service token. */
export function callerOf({ actor, service }: Pick<RequestState, 'actor' | 'service'>): string {
  return service === undefined ? `account:${actor?.id}` : serviceActor(service.name);
}
