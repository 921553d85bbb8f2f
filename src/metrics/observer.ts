import type { RequestObserver } from '../http/middleware/observe.ts';
import type { UnitObserver } from '../store/unit-of-work.ts';

/** Told of what the application does. Its methods need no `this`, throw nothing and cost next to nothing. */
export interface Observer extends RequestObserver, UnitObserver {
  /** A statement looks up so many keys. */
  readonly onLookUps: (keys: number) => void;
  /** The keys of an issuer have been fetched, or could not be. */
  readonly onProviderKeys: (issuer: string, areFetched: boolean) => void;
  /** Notifications of changes arrive again, or no longer: the feed polls then. */
  readonly onNotifications: (arrive: boolean) => void;
}
