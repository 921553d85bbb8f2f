import { createHash } from 'node:crypto';

/** Content that stays the same while the process lives. */
export interface Fixed {
  readonly content: Buffer;
  readonly headers: Record<string, string>;
}

/** Content with its type and entity tag. Browsers store it and ask each time whether it is still right, unless the headers say otherwise. */
export function fixed(text: string | Buffer, type: string, headers: Record<string, string> = {}): Fixed {
  const content = Buffer.from(text);
  return {
    content,
    headers: {
      'Content-Type': type,
      // The next release has other content under the same name.
      'Cache-Control': 'no-cache',
      ETag: `"${createHash('sha256').update(content).digest('base64url')}"`,
      ...headers,
    },
  };
}
