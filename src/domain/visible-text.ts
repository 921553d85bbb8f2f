// By category, some of these are letters or symbols.
const VISIBLE = /[^\p{Z}\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u{2800}]/u;

const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u{2800}]/u;

// Joiners, marks of direction and variation selectors, which names need: Persian, Sinhala, Hebrew, Mongolian, Japanese.
const JOINING = /[\u{200C}-\u{200F}\u{061C}]|\p{Variation_Selector}/gu;

// A cell of a spreadsheet may have several lines.
const CONTROL = /(?![\t\n\r])\p{Cc}/u;

/** Whether a text shows anything: not only blanks and invisible characters. */
export function isVisible(text: string): boolean {
  return VISIBLE.test(text);
}

/** Whether a text has an invisible character, so that another text could look the same. */
export function hasInvisible(text: string): boolean {
  return INVISIBLE.test(text);
}

/**
 * Whether the name of a person has control characters or invisible ones. Those that the scripts of the world need inside a name
 * are allowed: it identifies nobody.
 */
export function hasStrayInvisible(name: string): boolean {
  return CONTROL.test(name) || INVISIBLE.test(name.replace(JOINING, ''));
}
