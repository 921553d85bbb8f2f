import type { EntityManager } from '@mikro-orm/postgresql';

/** What a unit of work gives to those who work in it. */
export interface Unit {
  /** The unit's own EntityManager. Nobody but the unit flushes it. */
  readonly em: EntityManager;
  /**
   * To be called for an entity before it is changed. The first time round it does nothing, and a race is found out when
   * the version does not fit. When the unit is a replay, it takes the row for itself and reads it again, so that it
   * cannot lose another time.
   */
  claim(entity: object): Promise<void>;
  /** Makes a dry run of the unit: everything is done, guards and history included, and then taken back. */
  rehearse(): void;
}

/** How a unit of work is to be done. */
export interface UnitOptions {
  /** It must end with nothing to flush; one that has changed something fails. */
  readonly readOnly?: boolean;
  /** Whether it may be begun again after a lost race; it may unless this is `false`, as what reads a stream must say. */
  readonly replays?: boolean;
}

/** Does work as one unit: all of it is committed when the promise resolves, and none of it when it rejects. */
export type UnitOfWork = <T>(work: (unit: Unit) => Promise<T>, options?: UnitOptions) => Promise<T>;
