import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/** A modal dialog: the browser keeps the focus in it, closes it on Esc and gives the focus back. */
export function Dialog({
  title,
  onClose,
  isWide = false,
  isSheet = false,
  mayClose = true,
  children,
}: {
  title: string;
  onClose: () => void;
  isWide?: boolean;
  /** Whether it comes from the end of the screen, and goes by a touch beside it. */
  isSheet?: boolean;
  /** Whether Esc closes it. */
  mayClose?: boolean;
  children: ComponentChildren;
}) {
  const element = useRef<HTMLDialogElement>(null);
  // At once: what is typed next belongs to it.
  useLayoutEffect(() => {
    const dialog = element.current;
    const from = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (from instanceof HTMLElement) from.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={isWide ? 'wide' : isSheet ? 'sheet' : ''}
      aria-label={title}
      {...(isSheet && {
        // What is beside a dialog belongs to it.
        onClick: ({ target }: Event) => void (target === element.current && onClose()),
      })}
      onCancel={(event) => {
        event.preventDefault();
        if (mayClose) onClose();
      }}
      // Browsers close a dialog without asking where Esc is pressed again, or soon after it has opened.
      onClose={() => {
        if (element.current === null) return;
        if (mayClose) onClose();
        else element.current.showModal();
      }}
    >
      {children}
    </dialog>
  );
}
