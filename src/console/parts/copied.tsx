import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { texts } from '../texts.ts';
import { Icon } from './icons.tsx';

/** A text to copy, with a button that does. Where the browser lets no page copy, the button selects it. */
export function Copied({ text }: { text: string }) {
  const isCopied = useSignal(false);
  const shown = useRef<HTMLElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      isCopied.value = true;
      setTimeout(() => {
        isCopied.value = false;
      }, 2_000);
    } catch {
      // Without HTTPS, or without the permission.
      if (shown.current) getSelection()?.selectAllChildren(shown.current);
    }
  };
  return (
    <div class="command copied">
      <code ref={shown}>{text}</code>
      <button type="button" class="button small" onClick={copy}>
        <Icon name={isCopied.value ? 'check' : 'copy'} />
        <span aria-live="polite">{isCopied.value ? texts.copied : texts.copy}</span>
      </button>
    </div>
  );
}
