/** A server that a URL names. */
export interface Host {
  /** A name, an address, or the folder of a Unix socket; `undefined` for the driver's default. */
  readonly host: string | undefined;
  readonly port: number | undefined;
}

/** The values of `sslmode`, with libpq's meaning. */
const TLS_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
/** One of them. */
export type TlsMode = (typeof TLS_MODES)[number];

/** How a URL wants its connections encrypted. */
export interface TlsChoice {
  /** `undefined`: `allow` on this machine, and `prefer` elsewhere. */
  readonly mode: TlsMode | undefined;
  /** The path of the certificates to trust, or `system`. */
  readonly rootCert: string | undefined;
  /** The paths of the client's certificate and key. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly passphrase: string | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3' | undefined;
  /** Whether to start without asking the server first (`sslnegotiation=direct`). */
  readonly isDirect: boolean;
}

/** What a PostgreSQL URL says. */
export interface DatabaseUrl {
  /** In the order in which they are tried; at least one. */
  readonly hosts: readonly Host[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string;
  readonly schema: string | undefined;
  /** Command line options of the session, such as `-c work_mem=64MB`. */
  readonly options: string | undefined;
  readonly applicationName: string | undefined;
  /** Whether the password check is bound to the encrypted channel where the server offers it. */
  readonly bindsChannel: boolean;
  readonly tls: TlsChoice;
  /** The names of parameters without effect. */
  readonly unused: readonly string[];
}

/** The form of a URL, for messages. */
export const URL_SHAPE = 'postgres://user:password@host:port/database';

/** Parameters that change which server, which data or which safety a connection has, and that Rollcall cannot honour. */
const REFUSED: Readonly<Record<string, string>> = {
  service: 'write the host, the user and the database instead',
  passfile: 'set PGPASSFILE instead',
  hostaddr: 'name the address as the host instead',
  sslcrl: 'revocation lists are not supported',
  sslcrldir: 'revocation lists are not supported',
  require_auth: 'use sslmode=verify-full instead',
  requirepeer: 'it is not supported',
  replication: 'it is not supported',
};

/** Parameters that change nothing with the values that are allowed here. */
const HARMLESS: Readonly<Record<string, readonly string[]>> = {
  client_encoding: ['UTF8', 'utf8', 'UTF-8', 'utf-8', 'auto'],
  gssencmode: ['disable', 'prefer'],
  target_session_attrs: ['any', 'read-write', 'primary'],
  uselibpqcompat: ['true'],
  sslsni: ['1'],
};

/**
 * Reads a PostgreSQL URL as libpq does, with several hosts and Unix sockets. Throws an error whose message completes
 * "DATABASE_URL …" and quotes no secret.
 */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const [, authority = '', path = '', query = ''] =
    /^postgres(?:ql)?:\/\/([^\s/?#]*)(?:\/([^\s?@#]*))?(?:\?([^@#\r\n\t]*))?$/i.exec(text) ??
    fail(shapeRule());
  const at = authority.lastIndexOf('@');
  const [user = '', password] = split(authority.slice(0, Math.max(at, 0)), ':');
  const named = new URLSearchParams(query);
  const taken = new Set<string>();
  const take = (name: string) => {
    taken.add(name);
    return named.get(name) || undefined;
  };
  refuseUnsupported(named);

  const database = take('dbname') ?? decoded(path);
  if (database === '') fail(shapeRule());
  const tls = tlsChoice(take);
  const parsed = {
    hosts: hostsOf(authority.slice(at + 1), take('host'), take('port')),
    user: take('user') ?? (decoded(user) || undefined),
    password: take('password') ?? (password === undefined ? undefined : decoded(password)),
    database,
    schema: schemaOf(take('schema'), take('currentSchema')),
    options: take('options'),
    applicationName: take('application_name'),
    bindsChannel:
      oneOf('channel_binding', take('channel_binding') ?? 'disable', CHANNEL_BINDING) !== 'disable',
    tls,
  };
  const unused = new Set([...named.keys()].filter((name) => !(taken.has(name) || name in HARMLESS)));
  // Bound where the server offers it, and never demanded.
  if (named.get('channel_binding') === 'require') unused.add('channel_binding=require');
  return { ...parsed, unused: [...unused] };
}

const CHANNEL_BINDING = ['disable', 'prefer', 'require'] as const;

function shapeRule(): string {
  return `be ${URL_SHAPE}, with @ : / ? # % in the password percent-encoded (@ as %40)`;
}

function fail(requirement: string): never {
  throw new Error(`must ${requirement}`);
}

function refuseUnsupported(named: URLSearchParams): void {
  for (const [name, value] of named) {
    if (Object.hasOwn(REFUSED, name)) fail(`not have the parameter ${name}: ${REFUSED[name]}`);
    const allowed = HARMLESS[name];
    if (allowed !== undefined && !allowed.includes(value)) {
      fail(`have ${name} ${allowed.join(' or ')}, or none: other values are not supported`);
    }
  }
}

function tlsChoice(take: (name: string) => string | undefined): TlsChoice {
  const given = take('sslmode');
  const ssl = take('ssl');
  const rootCert = take('sslrootcert');
  const mode = given === undefined ? modeOf(ssl) : given === 'no-verify' ? 'require' : given;
  const choice: TlsChoice = {
    mode: mode === undefined ? undefined : oneOf('sslmode', mode, TLS_MODES),
    rootCert,
    cert: take('sslcert'),
    key: take('sslkey'),
    passphrase: take('sslpassword'),
    minVersion: oneOf('ssl_min_protocol_version', take('ssl_min_protocol_version'), ['TLSv1.2', 'TLSv1.3']),
    isDirect:
      oneOf('sslnegotiation', take('sslnegotiation') ?? 'postgres', ['postgres', 'direct']) === 'direct',
  };
  if (choice.mode === 'verify-ca' && (rootCert === undefined || rootCert === 'system')) {
    fail('name the file of your CA in sslrootcert with sslmode=verify-ca, or have sslmode=verify-full');
  }
  if (rootCert === 'system' && choice.mode !== undefined && choice.mode !== 'verify-full') {
    fail('have sslmode=verify-full with sslrootcert=system');
  }
  if ((choice.cert === undefined) !== (choice.key === undefined))
    fail('have both sslcert and sslkey, or neither');
  if (choice.isDirect && !['require', 'verify-ca', 'verify-full'].includes(choice.mode ?? '')) {
    fail('have sslmode require, verify-ca or verify-full with sslnegotiation=direct');
  }
  // As libpq: the system's certificates are trusted for nothing weaker.
  return rootCert === 'system' ? { ...choice, mode: 'verify-full' } : choice;
}

/** The mode of the driver's own parameter `ssl`. */
function modeOf(ssl: string | undefined): string | undefined {
  const modes: Readonly<Record<string, TlsMode>> = {
    true: 'verify-full',
    1: 'verify-full',
    'no-verify': 'require',
    false: 'disable',
    0: 'disable',
  };
  if (ssl === undefined) return undefined;
  return modes[ssl] ?? fail('have ssl true, false or no-verify, or better sslmode');
}

function schemaOf(schema: string | undefined, currentSchema = schema): string | undefined {
  if (schema !== undefined && schema !== currentSchema)
    fail('name one schema, in schema or in currentSchema');
  // A dot would end the schema in the name of the migrations' table.
  if (currentSchema !== undefined && /[,.\0]/.test(currentSchema)) {
    fail('name one schema, without a comma or a dot');
  }
  return currentSchema;
}

/** The hosts of the authority, or those of the parameters, which win. */
function hostsOf(authority: string, hosts: string | undefined, ports: string | undefined): Host[] {
  const inAuthority = authority.split(',').map((item): [string, string] => {
    const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(item) ?? fail(shapeRule());
    return [decoded(host.replace(/^\[(.*)\]$/, '$1')), port];
  });
  const names = hosts === undefined ? inAuthority.map(([host]) => host) : hosts.split(',');
  const numbers = ports === undefined ? inAuthority.map(([, port]) => port) : ports.split(',');
  if (numbers.length !== 1 && numbers.length !== names.length) fail('have one port, or one for each host');
  if (names.every((host) => host.trim() === '')) fail(shapeRule());
  return names.map((host, index) => ({
    host: checkedHost(host.trim()),
    port: portOf(numbers[numbers.length === 1 ? 0 : index] ?? ''),
  }));
}

function checkedHost(host: string): string | undefined {
  if (host !== '' && !host.startsWith('/') && !/^[\p{L}\p{N}._:%-]+$/u.test(host)) fail(shapeRule());
  return host || undefined;
}

function portOf(text: string): number | undefined {
  if (text === '') return undefined;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) fail(shapeRule());
  return port;
}

function oneOf<const T extends string>(name: string, value: string, allowed: readonly T[]): T;
function oneOf<const T extends string>(
  name: string,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined;
function oneOf<const T extends string>(
  name: string,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined {
  if (value === undefined) return undefined;
  return allowed.find((known) => known === value) ?? fail(`have ${name} ${allowed.join(', ')}`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return fail(shapeRule());
  }
}

/** Splits at the first separator. */
function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
