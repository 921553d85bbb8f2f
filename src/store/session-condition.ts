import { SESSION_IDLE_MINUTES } from '../domain/console-session.ts';

/** The condition for a row of `console_sessions` that may be used. By the clock: `now()` is when the transaction began. */
export const SESSION_USABLE = `(console_sessions.expires_at > clock_timestamp()
  and console_sessions.last_used_at > clock_timestamp() - interval '${SESSION_IDLE_MINUTES} minutes')`;
