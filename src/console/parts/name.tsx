/**
 * What an account or an author is called. It keeps its own direction, and where its line is too short, an email breaks before its `@`
 * and its dots, and only then anywhere. Not for a line that must not break: in Chromium, it breaks there all the same.
 */
export function Name({ text, isSoft = false }: { text: string; isSoft?: boolean }) {
  const [first, ...others] = text.includes('@') ? text.split(/(?=[@.])/) : [text];
  return (
    <bdi {...(isSoft && { class: 'soft' })}>
      {first}
      {others.flatMap((part, index) => [<wbr key={`${index} ${part}`} />, part])}
    </bdi>
  );
}
