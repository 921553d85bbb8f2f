import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openApiDocument } from '../../../src/http/openapi/document.ts';
import { describedEndpoints } from '../../support/endpoints.ts';

// Keeps the document of a release, which later ones are compared with: `node test/openapi/tools/release.ts`. Without examples and
// descriptions: they are most of it, and nothing compares them.
const document = openApiDocument(describedEndpoints());
const text = JSON.stringify(
  document,
  (key, value) => {
    if (key === 'example' || key === 'examples') return undefined;
    return key === 'description' && typeof value === 'string' ? '' : value;
  },
  1,
);
await writeFile(join(import.meta.dirname, '../released.json'), `${text}\n`);
