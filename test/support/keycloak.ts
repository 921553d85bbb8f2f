import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePort } from '../../src/database/embedded/start.ts';
import { mustRun } from './openapi-tools.ts';
import { sharedFolder } from './run-directory.ts';
import { StartedPrograms } from './started-program.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The version that `docs/keycloak.md` names. */
export const KEYCLOAK_VERSION = '26.7.3';

/** Where it is installed. */
const FOLDER = join(ROOT, `node_modules/.cache/keycloak-${KEYCLOAK_VERSION}`);

/** The admin of the realm `master`. */
export const KEYCLOAK_ADMIN = { username: 'admin', password: 'only for these tests' };

/** A Keycloak on loopback, with its data in memory. */
export interface Keycloak {
  readonly url: string;
  /** Calls its admin API as the admin, and returns the answer's body. Throws where the answer is none of success. */
  admin(method: string, path: string, body?: unknown): Promise<unknown>;
  /** An access token of the admin, which lasts a minute. */
  adminToken(): Promise<string>;
}

/** What a realm gives an app for a password. */
export type Tokens = Readonly<Record<'access_token' | 'id_token' | 'refresh_token', string>>;

/** Fetches Keycloak with Maven, once: some 170 MB. Throws with what Maven has said where that fails. */
async function install(): Promise<string> {
  const artifact = `-Dartifact=org.keycloak:keycloak-quarkus-dist:${KEYCLOAK_VERSION}:zip`;
  await sharedFolder(FOLDER, async (draft) => {
    await mkdir(draft, { recursive: true });
    const unpack = ['dependency:unpack', artifact, '-DoutputDirectory=.'];
    // It leaves notes of its own in the folder that it runs in.
    await mustRun('mvn', ['--batch-mode', '--quiet', ...unpack], { cwd: draft, seconds: 180 }).catch(
      (error: Error) => {
        throw new Error(`Maven cannot fetch Keycloak ${KEYCLOAK_VERSION}: ${error.message}`, {
          cause: error,
        });
      },
    );
  });
  return join(FOLDER, `keycloak-${KEYCLOAK_VERSION}`);
}

/** Its script starts another process, which has to end with it. */
const programs = new StartedPrograms();
process.on('exit', () => programs.kill());

/** How long a start may take on a busy machine, in milliseconds. Alone, it takes half a minute. */
const START_MS = 180_000;

let running: Promise<Keycloak> | undefined;

/** Installs and starts it, once in a run, and ends it with this process. Needs Maven and Java 17. */
export function startKeycloak(): Promise<Keycloak> {
  running ??= start();
  return running;
}

async function start(): Promise<Keycloak> {
  const folder = await install();
  const [port, management] = [await findFreePort(), await findFreePort()];
  const url = `http://127.0.0.1:${port}`;
  const args = [
    'start-dev',
    '--db=dev-mem',
    '--http-host=127.0.0.1',
    `--http-port=${port}`,
    `--http-management-port=${management}`,
    `--hostname=${url}`,
  ];
  const { PATH, HOME, JAVA_HOME } = process.env;
  const program = programs.start(join(folder, 'bin/kc.sh'), args, {
    cwd: folder,
    env: {
      PATH,
      HOME,
      JAVA_HOME,
      // Quick to start, for a server that lives for a minute.
      JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1',
      KC_BOOTSTRAP_ADMIN_USERNAME: KEYCLOAK_ADMIN.username,
      KC_BOOTSTRAP_ADMIN_PASSWORD: KEYCLOAK_ADMIN.password,
    },
  });
  await program.said(/Listening on/, START_MS);
  const adminToken = async () => {
    const tokens = await passwordTokens(`${url}/realms/master`, { client: 'admin-cli', ...KEYCLOAK_ADMIN });
    return tokens.access_token;
  };
  return {
    url,
    adminToken,
    admin: async (...call) => callAdmin(`${url}/admin/realms`, await adminToken(), ...call),
  };
}

async function callAdmin(
  api: string,
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const answer = await fetch(api + path, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

/** The tokens that a person gets for a password, from a client with *Direct access grants*. */
export async function passwordTokens(
  realm: string,
  { client, username, password }: { client: string; username: string; password: string },
): Promise<Tokens> {
  const answer = await fetch(`${realm}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: client,
      grant_type: 'password',
      scope: 'openid',
      username,
      password,
    }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`no tokens for ${username}: ${text}`);
  return JSON.parse(text);
}
