/** A step of a start that may take long. */
export type StartStep = 'reaching the database' | 'preparing the database' | 'opening the application';

/** How far a start is. */
export interface StartState {
  readonly step: StartStep;
  /** When the step began. ISO 8601. */
  readonly since: string;
  /** What it waits for; absent while it works. */
  readonly reason?: string;
}

/** How far a start is, for those who look at the process meanwhile. */
export class StartProgress {
  #state = stateOf('reaching the database');
  #isDatabaseUp = false;
  #pending: readonly string[] | undefined;

  get state(): StartState {
    return this.#state;
  }

  /** Whether the database has answered, and does so still. */
  get isDatabaseUp(): boolean {
    return this.#isDatabaseUp;
  }

  /** The migrations that the database lacks, where the start waits for them. */
  get pending(): readonly string[] | undefined {
    return this.#pending;
  }

  /** The step before has ended. */
  begin(step: StartStep): void {
    this.#state = stateOf(step);
    this.#isDatabaseUp = true;
    this.#pending = undefined;
  }

  /** The step waits, for the reason of the error. */
  wait({ message }: Error, isDatabaseUp: boolean): void {
    this.#state = { ...this.#state, reason: message };
    this.#isDatabaseUp = isDatabaseUp;
  }

  /** The step waits until another process has applied these migrations. */
  waitForMigrations(pending: readonly string[]): void {
    this.#state = { ...this.#state, reason: 'migrations are pending, and MIGRATE_ON_BOOT is false' };
    this.#isDatabaseUp = true;
    this.#pending = pending;
  }

  /** The step no longer waits. */
  goOn(): void {
    const { step, since } = this.#state;
    this.#state = { step, since };
    this.#isDatabaseUp = true;
    this.#pending = undefined;
  }
}

function stateOf(step: StartStep): StartState {
  return { step, since: new Date().toISOString() };
}
