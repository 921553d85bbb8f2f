import { describedEndpoints } from '../described-endpoints.ts';
import { openApiDocument } from './document.ts';

// The OpenAPI document, without a service that answers with it: `node src/http/openapi/print.ts`.
process.stdout.write(JSON.stringify(openApiDocument(describedEndpoints()), null, 2));
