import type { Dispatcher, EnvHttpProxyAgent } from 'undici';

/** The proxies for requests that this process makes, as `HTTPS_PROXY` and its kin name them. */
export interface ProxySettings {
  /** For `https:`; `null`: that of `http`. */
  readonly https: string | null;
  /** For `http:`; `null`: none. */
  readonly http: string | null;
  /** Hosts that are asked directly, with all their subdomains; `*`: all. */
  readonly except: readonly string[];
}

/** Whether any request may go through a proxy. */
export function usesProxy({ https, http }: ProxySettings): boolean {
  return https !== null || http !== null;
}

/** No proxy at all. */
export const DIRECT: ProxySettings = { https: null, http: null, except: [] };

/**
 * The connections of requests to other servers, through these proxies. `options` apply to direct connections. The library is
 * loaded when it is first needed, which spares most starts a tenth of a second.
 */
export async function webClient(
  { https, http, except }: ProxySettings,
  options: EnvHttpProxyAgent.Options = {},
): Promise<Dispatcher> {
  const { default: undici } = await import('undici');
  return new undici.EnvHttpProxyAgent({
    ...options,
    // Never undefined: the library would read the environment itself.
    httpsProxy: https ?? '',
    httpProxy: http ?? '',
    noProxy: except.join(','),
  });
}
