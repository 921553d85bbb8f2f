import { texts } from '../texts.ts';
import { say, sayFault } from './toasts.tsx';

/** Copies a text, and says so. */
export async function copy(text: string, done: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(done);
  } catch {
    // Without HTTPS, or without the permission.
    sayFault(new Error(texts.notCopied));
  }
}
