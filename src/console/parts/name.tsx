/**
 * What an account or an author is called. It keeps its own direction, and where its line is too short, an email breaks before its `@`
 * and its dots, and only then anywhere.
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
