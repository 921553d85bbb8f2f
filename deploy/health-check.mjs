// Exits with 0 if the service of this container lives, and else with 1: the health check of the image. Node.js alone, for the image has
// no curl. It asks /healthz and not /readyz: a new container does not mend a database that is down.
import { get } from 'node:http';

// biome-ignore lint/style/noProcessEnv: it runs without the build.
const port = process.env.PORT || 8000;
get({ host: '127.0.0.1', port, path: '/healthz', timeout: 4_000 }, ({ statusCode }) =>
  process.exit(statusCode === 200 ? 0 : 1),
)
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1));
