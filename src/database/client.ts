import pg from 'pg';
import type { DatabaseUrl } from '../../config/database-url.ts';
import type { ServerRole } from './connection.ts';
import type { HostChoice } from './host-choice.ts';
import { PipelinedClient, type StatementObserver } from './pipelined-client.ts';
import { wrongRole } from './standby.ts';
import { tlsOptions } from './tls.ts';

/** What the driver's types leave out. */
type Internals = pg.Client & { getStartupConf(): Record<string, string>; connectionParameters: object };
const startupOf = (pg.Client.prototype as Internals).getStartupConf;

/** What a connection is made of. */
export interface ClientOptions {
  readonly url: DatabaseUrl;
  readonly hosts: HostChoice | undefined;
  readonly encrypted: boolean;
  /** What the server must be. */
  readonly role: ServerRole;
  /** Whether a statement with a name is prepared: behind a pooler, another connection may have prepared it, or may have to. */
  readonly prepares: boolean;
  readonly onStatement: StatementObserver | undefined;
  /** How long it may say nothing while it is asked something, in milliseconds. Default: any time. */
  readonly patienceMs: number | undefined;
}

/**
 * The class of the driver's clients that begin their sessions with `settings`. With a choice of hosts, each connection goes to
 * the host that is the primary then. A connection that wants a primary and meets a standby fails, and the other way round, see
 * {@link wrongRole}, where the server tells: from PostgreSQL 14 on, without a pooler between. It tells of a
 * promotion too.
 */
export function clientClass(
  settings: Readonly<Record<string, string>>,
  { url, hosts, encrypted, role, prepares, onStatement, patienceMs }: ClientOptions,
): typeof PipelinedClient {
  return class SessionClient extends PipelinedClient {
    protected override get onStatement() {
      return onStatement;
    }

    protected override get patienceMs() {
      return patienceMs;
    }

    getStartupConf(): Record<string, string> {
      return { ...startupOf.call(this as unknown as Internals), ...settings };
    }

    override query(...args: unknown[]): never {
      const [statement, ...others] = args;
      return super.query(prepares ? statement : withoutName(statement), ...others);
    }

    override connect(...args: unknown[]): never {
      const [callback] = args as [((error?: Error) => void)?];
      const connected = this.#connect(super.connect as () => Promise<unknown>);
      if (callback === undefined) return connected as never;
      connected.then(() => callback(), callback);
      return undefined as never;
    }

    async #connect(connect: () => Promise<unknown>): Promise<void> {
      if (hosts !== undefined) {
        const { host, port } = await hosts.primary();
        Object.assign(this, { host, port });
        Object.assign((this as unknown as Internals).connectionParameters, { host, port });
        if (encrypted) Object.assign(this.connection, { ssl: tlsOptions(url.tls, host) });
        // Whatever ends the connection, the primary may be another one afterwards.
        this.once('end', () => hosts.forget());
      }
      let isStandby: boolean | undefined;
      let isReady = false;
      this.connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
        if (parameterName !== 'in_hot_standby') return;
        isStandby = parameterValue === 'on';
        const promoted = isReady ? wrongRole(isStandby, role) : undefined;
        if (promoted !== undefined) this.connection.stream.destroy(promoted);
      });
      // A connection that breaks while nobody asks it anything emits an error, and without a listener that ends the process. Those
      // of the pool and the ORM listen too late for one that the server ends with the same packet that says it is ready.
      let broken: Error | undefined;
      this.on('error', (error) => {
        broken ??= error;
      });
      await connect.call(this);
      isReady = true;
      const unfit = wrongRole(isStandby, role) ?? broken;
      if (unfit === undefined) return;
      this.connection.stream.destroy();
      throw unfit;
    }
  };
}

function withoutName(statement: unknown): unknown {
  const isNamed = typeof statement === 'object' && statement !== null && 'name' in statement;
  return isNamed ? { ...statement, name: undefined } : statement;
}
