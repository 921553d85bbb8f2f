import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** Content that stays the same while the process lives. */
export interface Fixed {
  readonly content: Buffer;
  readonly headers: Record<string, string>;
}

/** Such content, and the same compressed, where that is worth it. */
export interface Compressible {
  readonly plain: Fixed;
  readonly compressed: Fixed | undefined;
}

const compress = promisify(gzip);

/** The most of a content that compressing may leave: an image is compressed already. */
const WORTH_IT = 0.9;

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

/**
 * Compresses content once, for all its callers. It must hold no secret: the length of what is compressed tells something of it. The
 * other representation has a tag of its own (RFC 9110, section 8.8.3.3).
 */
export async function compressible({ content, headers }: Fixed): Promise<Compressible> {
  const shorter = await compress(content, { level: 9 });
  if (shorter.length > content.length * WORTH_IT)
    return { plain: { content, headers }, compressed: undefined };
  const varied = { ...headers, Vary: 'Accept-Encoding' };
  const tag = headers['ETag']?.replace(/"$/, '-gzip"');
  return {
    plain: { content, headers: varied },
    compressed: {
      content: shorter,
      headers: { ...varied, 'Content-Encoding': 'gzip', ...(tag !== undefined && { ETag: tag }) },
    },
  };
}

/** Content as a caller takes it. */
export function codedFor(acceptsGzip: boolean, { plain, compressed }: Compressible): Fixed {
  return (acceptsGzip && compressed) || plain;
}
