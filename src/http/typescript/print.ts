import { describedEndpoints } from '../described-endpoints.ts';
import { operationsOf, operationsTable } from './operations.ts';

// The table of the client's operations: `node src/http/typescript/print.ts > src/client/operations.ts`.
process.stdout.write(operationsTable(operationsOf(describedEndpoints())));
