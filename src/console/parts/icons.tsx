/** The shapes of the icons, each in a square of 24. */
const SHAPES = {
  overview: 'M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z',
  accounts:
    'M16 20v-1.5a4 4 0 0 0-4-4H7a4 4 0 0 0-4 4V20M9.5 10.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M21 20v-1.5a4 4 0 0 0-3-3.9M15.5 3.6a3.5 3.5 0 0 1 0 6.8',
  activity: 'M3 12h4l3-8 4 16 3-8h4',
  turnedAway: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M6 6l12 12',
  transfer: 'M8 20V5M4 9l4-4 4 4M16 4v15M12 15l4 4 4-4',
  access: 'M12 11a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0M12 11h9.5v4M17 11v3',
  me: 'M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4.5 20.5a7.5 7.5 0 0 1 15 0',
  filter: 'M4 6h16M7 12h10M10 18h4',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14M20 20l-4-4',
  plus: 'M12 5v14M5 12h14',
  check: 'M5 12.5l4.5 4.5L19 7',
  cross: 'M6 6l12 12M18 6L6 18',
  warning: 'M12 4l9 16H3zM12 10v4M12 17v.1',
  undo: 'M4 9h10a6 6 0 0 1 0 12h-3M4 9l4-4M4 9l4 4',
  edit: 'M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19zM13.5 7l3.5 3.5',
  settings: 'M4 7h8M18 7h2M15 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6M4 17h2M12 17h8M9 20a3 3 0 1 0 0-6 3 3 0 0 0 0 6',
  role: 'M12 3l7.5 2.8v5.4c0 4.6-3.1 8-7.5 9.8-4.4-1.8-7.5-5.2-7.5-9.8V5.8z',
  remove: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5',
  pause: 'M9 5v14M15 5v14',
  play: 'M7 4.5v15l12-7.5z',
  more: 'M5 11.3a.7.7 0 1 0 0 1.4.7.7 0 0 0 0-1.4M12 11.3a.7.7 0 1 0 0 1.4.7.7 0 0 0 0-1.4M19 11.3a.7.7 0 1 0 0 1.4.7.7 0 0 0 0-1.4',
  up: 'M12 19V5M6 11l6-6 6 6',
  down: 'M12 5v14M6 13l6 6 6-6',
  left: 'M19 12H5M11 6l-6 6 6 6',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 7v5l3 2',
  theme: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 3v18M12 8l5.5-1M12 12.5l8-1.5M12 17l6-1',
  out: 'M10 4H5v16h5M15.5 8l4 4-4 4M19 12H9.5',
  keys: 'M3 6h18v12H3zM7 10v.1M12 10v.1M17 10v.1M8 14h8',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4M12 18v-6M9.5 14.5L12 12l2.5 2.5',
} as const;

/** The name of an icon. */
export type IconName = keyof typeof SHAPES;

/** The icons that point along the line: they are mirrored where that goes from right to left. */
const DIRECTED: ReadonlySet<IconName> = new Set(['left', 'undo', 'out']);

/** An icon beside a text that says the same: programs that read aloud pass it over. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={DIRECTED.has(name) ? 'icon directed' : 'icon'} viewBox="0 0 24 24" aria-hidden="true">
      <path d={SHAPES[name]} />
    </svg>
  );
}

/** From before to after, or from one name to another. */
export function Arrow() {
  return (
    <span class="directed soft" aria-hidden="true">
      →
    </span>
  );
}
