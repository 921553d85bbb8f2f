import pg from 'pg';

/** A server to connect to. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** None of the hosts is the primary: each one with its reason. */
class NoPrimary extends Error {
  override readonly name = 'NoPrimary';
  /** SQLSTATE of a server that cannot be reached: the error counts as one that passes. */
  readonly code = '08001';
}

/** The choice between the hosts of a URL: the first one that answers and is no standby. */
export interface HostChoice {
  /** The primary, asked for once and then known until it is forgotten. Throws {@link NoPrimary}. */
  primary(): Promise<Target>;
  /** Asks again the next time, because a connection to the primary failed or ended. */
  forget(): void;
}

/** Creates the choice. `configOf` is the driver's configuration of a connection to one host. */
export function hostChoice(
  targets: readonly Target[],
  configOf: (target: Target) => pg.ClientConfig,
): HostChoice {
  let known: Promise<Target> | undefined;
  const find = async () => {
    const reasons: string[] = [];
    for (const target of targets) {
      const reason = await whyNot(configOf(target));
      if (reason === undefined) return target;
      reasons.push(`${target.host}:${target.port}: ${reason}`);
    }
    throw new NoPrimary(`None of the hosts is a primary: ${reasons.join('; ')}`);
  };
  return {
    primary() {
      known ??= find().catch((error: Error) => {
        known = undefined;
        throw error;
      });
      return known;
    },
    forget() {
      known = undefined;
    },
  };
}

/** Why a host is not the primary; `undefined` if it is. Refusals, such as a wrong password, are the same on each host. */
async function whyNot(config: pg.ClientConfig): Promise<string | undefined> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ standby: boolean }>('select pg_is_in_recovery() as standby');
    return rows[0]?.standby ? 'a standby' : undefined;
  } catch (error) {
    if (/^(28|3D)/.test((error as { code?: string }).code ?? '')) throw error;
    return (error as Error).message;
  } finally {
    client.connection.stream.destroy();
  }
}
