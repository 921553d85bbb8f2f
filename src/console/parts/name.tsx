/** Matches an email and nothing around it. */
const EMAIL = /^([^\s@"]+)(@[^\s@"]+)$/;

/** How long a domain is that may be longer than a line, in characters. */
const LONG = 24;

/**
 * What an account or an author is called. It keeps its own direction, and where its line is too short, an email breaks before its `@`,
 * a long domain before its dots too, and only then anywhere. Not for a line that must not break: in Chromium, it breaks there all the
 * same.
 */
export function Name({ text, isSoft = false }: { text: string; isSoft?: boolean }) {
  const [, local, domain = ''] = EMAIL.exec(text) ?? [];
  const parts = domain.length > LONG ? domain.split(/(?=\.)/) : [domain];
  return (
    <bdi {...(isSoft && { class: 'soft' })}>
      {local ?? text}
      {local !== undefined && parts.flatMap((part, index) => [<wbr key={`${index} ${part}`} />, part])}
    </bdi>
  );
}
