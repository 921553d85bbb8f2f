import { existsSync } from 'node:fs';
import { buildInfo } from './build-info.ts';
import { isPackageCommand } from './invocation.ts';

/** Variables that platforms set in what they run. */
const PLATFORM_VARIABLES = [
  'KUBERNETES_SERVICE_HOST',
  'ECS_CONTAINER_METADATA_URI_V4',
  'K_SERVICE',
  'DYNO',
  'FLY_APP_NAME',
  'RENDER',
  'RAILWAY_ENVIRONMENT',
  'WEBSITE_INSTANCE_ID',
];

/** Files in containers of Docker and Podman. */
const CONTAINER_FILES = ['/.dockerenv', '/run/.containerenv'];

/**
 * The warning for a process that looks deployed and runs with development settings, only because neither `ENVIRONMENT` nor
 * `NODE_ENV` says otherwise. People who develop in a container sit at a terminal (`isInteractive`). In a server of somebody else, Rollcall is
 * always a build (`isMounted`).
 */
export function forgottenProduction(isInteractive: boolean, { isMounted = false } = {}): string | undefined {
  if (process.env['ENVIRONMENT'] || process.env['NODE_ENV']) return undefined;
  const sign = signOfDeployment(isInteractive, isMounted);
  if (sign === undefined) return undefined;
  const listens = isMounted ? '' : 'listens on 127.0.0.1 and ';
  return `Warning: ${sign}, but ENVIRONMENT is not set, so Rollcall uses its development settings: it ${listens}generates what is missing. Set ENVIRONMENT=production, or ENVIRONMENT=development if this is meant.`;
}

function signOfDeployment(isInteractive: boolean, isMounted: boolean): string | undefined {
  const variable = PLATFORM_VARIABLES.find((name) => process.env[name]);
  if (variable !== undefined) return `${variable} is set`;
  // The command of the package is how one tries it out.
  if (buildInfo !== undefined && !isMounted && !isPackageCommand()) return 'this is the production build';
  if (!isInteractive && CONTAINER_FILES.some((path) => existsSync(path))) return 'this is a container';
  return undefined;
}
