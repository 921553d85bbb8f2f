import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

/** What a key does. */
export interface Shortcut {
  /** The key, as `KeyboardEvent.key` has it; `Ctrl+k` also means the command key of a Mac. */
  readonly key: string;
  /** What it does, for the help. */
  readonly label: string;
  /** Without it, the browser does that by itself, and the help alone has it. */
  readonly run?: (event: KeyboardEvent) => void;
}

/** The shortcuts of what is on the screen, for the help: the last view is the first to be asked. */
export const shortcuts = signal<readonly (readonly Shortcut[])[]>([]);

/** Makes keys do something while a component is on the screen. They do nothing while something is typed or a dialog is open. */
export function useShortcuts(own: readonly Shortcut[]): void {
  useEffect(() => {
    shortcuts.value = [own, ...shortcuts.peek()];
    return () => {
      shortcuts.value = shortcuts.peek().filter((list) => list !== own);
    };
  }, [own]);
}

/** Whether this is a computer or tablet of Apple, whose command key does what `Ctrl` does elsewhere. */
const isApple = /^(mac|ip)/i.test(navigator.platform);

/** The names of the keys of a shortcut, as they are on the reader's keyboard: `Ctrl` and `K`, or `⌘K`. */
export function keyNames(key: string): readonly string[] {
  if (key === 'Escape') return ['Esc'];
  const [, letter] = /^Ctrl\+(.)$/.exec(key) ?? [];
  if (letter === undefined) return [key];
  return isApple ? [`⌘${letter.toUpperCase()}`] : ['Ctrl', letter.toUpperCase()];
}

addEventListener('keydown', (event) => {
  const isWithControl = event.ctrlKey || event.metaKey;
  if (event.defaultPrevented || event.altKey || event.isComposing) return;
  if (document.querySelector('dialog[open]') || (!isWithControl && isTyping(event.target))) return;
  // On a keyboard without Latin letters, the key in the same place counts.
  const [, letter = ''] = (/^[^ -~]$/.test(event.key) && /^Key(.)$/.exec(event.code)) || [];
  const pressed = letter.toLowerCase() || event.key;
  const key = isWithControl ? `Ctrl+${pressed.toLowerCase()}` : pressed;
  const found = shortcuts
    .peek()
    .flat()
    // What the browser does by itself is there for the help alone.
    .find((shortcut) => shortcut.key === key && shortcut.run !== undefined);
  if (!found?.run) return;
  event.preventDefault();
  found.run(event);
});

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
