import type { Shortcut } from '../../data/keys.ts';
import { activityTexts } from '../../texts/activity.ts';
import { texts } from '../../texts.ts';

/** The keys of the activity. */
export function shortcutsOf(togglePause: () => void): readonly Shortcut[] {
  const entryAtHand = () => document.activeElement?.closest('.entry');
  const move = (step: 1 | -1) => {
    const entries = [...document.querySelectorAll('.entry')];
    const here = entryAtHand();
    const next = here ? entries[entries.indexOf(here) + step] : entries[0];
    next?.querySelector<HTMLElement>('a')?.focus();
  };
  return [
    {
      key: '/',
      label: texts.keys.search,
      run: () => document.querySelector<HTMLInputElement>('input[data-search]')?.select(),
    },
    { key: 'j', label: activityTexts.keys.next, run: () => move(1) },
    { key: 'k', label: activityTexts.keys.previous, run: () => move(-1) },
    { key: 'Enter', label: activityTexts.keys.author },
    {
      key: 'u',
      label: activityTexts.keys.undo,
      run: () => entryAtHand()?.querySelector<HTMLElement>('button[data-undo]')?.click(),
    },
    { key: 'p', label: activityTexts.keys.pause, run: togglePause },
  ];
}
