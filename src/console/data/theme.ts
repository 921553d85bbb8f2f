import { effect, signal } from '@preact/signals';
import { REMEMBERED } from './remembered.ts';

/** The themes that a reader can choose. */
export const THEMES = ['system', 'light', 'dark'] as const;
/** A theme. */
export type Theme = (typeof THEMES)[number];

const KEY = REMEMBERED.theme;

/** The chosen theme, which this browser remembers. */
export const theme = signal<Theme>(THEMES.find((name) => name === remembered()) ?? 'system');

effect(() => {
  const { dataset } = document.documentElement;
  if (theme.value === 'system') delete dataset['theme'];
  else dataset['theme'] = theme.value;
  if (theme.value === (remembered() ?? 'system')) return;
  if (theme.value === 'system') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme.value);
});

/** A browser that keeps nothing for sites refuses even to say so; for the page at `/docs`, that is enough. */
function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
