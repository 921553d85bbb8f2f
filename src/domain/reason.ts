import { hasStrayInvisible, isVisible } from './visible-text.ts';

/** The most characters (code points) of a reason. */
export const MAX_REASON_LENGTH = 500;

// With the separators of lines and of paragraphs, which browsers and terminals may break lines at.
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** What is wrong with the reason of a change, for a sentence about it; `undefined` where nothing is. */
export function faultOfReason(text: string): string | undefined {
  if (text === '' || [...text].length > MAX_REASON_LENGTH)
    return `must have 1 to ${MAX_REASON_LENGTH} characters`;
  if (CONTROL.test(text) || hasStrayInvisible(text))
    return 'must not contain line breaks, control or invisible characters';
  return isVisible(text) ? undefined : 'must have a visible character';
}
