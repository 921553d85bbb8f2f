/** For how long somebody uses the page after a touch of it, in milliseconds. */
const ATTENTION_MS = 60_000;

/** How long somebody may use the page without a request before it makes one: a session must not end while something is typed. */
const SILENCE_MS = 5 * 60_000;

// Whoever opens the page uses it.
let touchedAt = Date.now();
let askedAt = Date.now();

/** What the page's requests say of who uses it: one that the page makes while nobody does is no use of the session. */
export function attention(): '1' | 'unattended' {
  const now = Date.now();
  if (now - touchedAt > ATTENTION_MS) return 'unattended';
  askedAt = now;
  return '1';
}

/** Calls `ask` when somebody uses the page who has long asked for nothing. */
export function onLongSilence(ask: () => void): void {
  const touch = () => {
    touchedAt = Date.now();
    if (touchedAt - askedAt < SILENCE_MS) return;
    askedAt = touchedAt;
    ask();
  };
  for (const type of ['keydown', 'pointerdown', 'wheel', 'touchstart'])
    addEventListener(type, touch, { capture: true, passive: true });
}
