import { effect, signal } from '@preact/signals';

/** The themes that a reader can choose. */
export const THEMES = ['system', 'light', 'dark'] as const;
/** A theme. */
export type Theme = (typeof THEMES)[number];

const KEY = 'rollcall-theme';

/** The chosen theme, which this browser remembers. */
export const theme = signal<Theme>(THEMES.find((name) => name === localStorage.getItem(KEY)) ?? 'system');

effect(() => {
  const { dataset } = document.documentElement;
  if (theme.value === 'system') {
    delete dataset['theme'];
    localStorage.removeItem(KEY);
  } else {
    dataset['theme'] = theme.value;
    localStorage.setItem(KEY, theme.value);
  }
});
