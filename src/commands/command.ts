import type { Settings } from '../../config/settings.ts';
import type { PreferenceRules } from '../domain/preferences.ts';
import type { UnitOfWork } from '../store/unit.ts';
import type { Values } from './account-options.ts';

/** What a command works with. */
export interface CommandContext {
  readonly inUnit: UnitOfWork;
  readonly rules: PreferenceRules;
  readonly values: Values;
  readonly settings: Settings;
}

/** A command: takes its argument, and returns what is printed. */
export type Command = (argument: string | undefined, context: CommandContext) => Promise<unknown>;
