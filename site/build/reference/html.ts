/** A text as HTML shows it. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** A description of the document as HTML: of Markdown, descriptions have code alone. */
export function described(text: string): string {
  return text
    .split(/(`[^`]+`)/)
    .map((part) => (part.startsWith('`') ? code(part.slice(1, -1)) : escaped(part)))
    .join('');
}

/** A text as code. */
export const code = (text: string): string => `<code>${escaped(text)}</code>`;

/** The method of an endpoint. */
export function badge(method: string): string {
  return `<span class="method ${method.toLowerCase()}">${method}</span>`;
}
