import type { Settings } from '../../../config/settings.ts';
import { configuredRing } from '../../security/key-ring.ts';
import { fetchKeys, withoutQuery } from '../../security/provider.ts';
import {
  CALLBACK_PATH,
  type ProviderClient,
  providerClientOf,
  signInProvider,
} from '../../security/sign-in-provider.ts';
import { sourceWarnings } from '../../security/source-warnings.ts';
import { sourcesOf } from '../../security/sources.ts';
import { Sender } from '../../services/webhooks/sender.ts';
import { attempt, type Finding, messageOf, ok, problem, warning } from './finding.ts';

/** The longest wait for a receiver of webhooks, in milliseconds. */
const RECEIVER_MS = 5_000;

/** Checks who may sign in, fetches the keys of each issuer, and asks that of the console for its addresses. */
export async function checkProviders({ auth, proxy, dataDir, ...settings }: Settings): Promise<Finding[]> {
  const ring = configuredRing(auth);
  const sources = sourcesOf(auth, ring);
  const fetched = await Promise.all(
    sources.issuers.map(({ issuer, jwksUrl }) => {
      const name = issuer ?? withoutQuery(`${jwksUrl}`);
      return attempt(
        'provider keys',
        async () => {
          const { keys } = await fetchKeys({ issuer, jwksUrl }, proxy);
          if (Array.isArray(keys) && keys.length > 0)
            return [ok('provider keys', `${name} has ${keys.length}`)];
          const mend = 'Its tokens are refused: check AUTH_JWKS_URL, or ask whoever runs the provider.';
          return [problem('provider keys', `${name} has none`, mend)];
        },
        `Nobody can sign in by ${name}: check its address, the way there (HTTPS_PROXY, NODE_EXTRA_CA_CERTS) and the provider.`,
      );
    }),
  );
  const secrets =
    ring.length > 0
      ? [
          ok(
            'secrets',
            ring.length === 1 ? 'one signs tokens' : `${ring.length} are accepted; the newest signs`,
          ),
        ]
      : sources.issuers.length === 0
        ? [ok('secrets', `none is set; development generates one in ${dataDir}`)]
        : [];
  const warnings = sourceWarnings(sources).map(({ message, issuers, claims }) =>
    warning(
      'sign-in',
      `${message}: ${[...(issuers ?? []), ...(claims ?? [])].join(', ')}`,
      'Do what the message says.',
    ),
  );
  const client = settings.console.enabled ? providerClientOf(settings.console, sources.issuers) : undefined;
  const door = client === undefined ? [] : await checkDoor(client, settings, proxy);
  return [...secrets, ...fetched.flat(), ...door, ...warnings];
}

/** Checks whether people can begin to sign in to the console at its provider. Whether that knows the client, only a person finds out. */
function checkDoor(
  client: ProviderClient,
  { publicUrl, basePath }: Pick<Settings, 'publicUrl' | 'basePath'>,
  proxy: Settings['proxy'],
): Promise<Finding[]> {
  const { issuer } = client.issuer;
  const redirectUri = `${publicUrl ?? 'http://localhost'}${basePath}${CALLBACK_PATH}`;
  return attempt(
    'console',
    async () => {
      await signInProvider(client, { proxy })
        .begin(redirectUri)
        .catch((error: Error) => {
          throw new Error(`${issuer} does not say how to sign in: ${messageOf(error.cause ?? error)}`);
        });
      const message = `${client.clientId} signs in at ${issuer}, which must know the redirect URI ${redirectUri}`;
      return [ok('console', message)];
    },
    'Nobody can sign in to the console there: check the issuer, and the way to it (HTTPS_PROXY, NODE_EXTRA_CA_CERTS).',
  );
}

/** Asks each receiver of webhooks for its headers (`HEAD`), which delivers nothing. Any answer shows that the way is open. */
export async function checkWebhooks({ webhooks, proxy }: Settings): Promise<Finding[]> {
  const { hooks, allowPrivate } = webhooks;
  const options = { allowPrivate, proxy, timeoutMs: RECEIVER_MS };
  const findings = hooks.map(async ({ name, url }): Promise<Finding> => {
    const sender = new Sender(url, options);
    try {
      const answer = await sender.probe(new AbortController().signal);
      if ('reason' in answer) {
        const mend = `Changes are not delivered to ${name}: check its url in WEBHOOKS, and the receiver.`;
        return problem('webhooks', `${name} cannot be reached: ${answer.reason}`, mend);
      }
      const message = `${name} answers (${answer.status} to HEAD)`;
      if (answer.status >= 500) return warning('webhooks', message, 'Look at the log of the receiver.');
      if (answer.status >= 300 && answer.status < 400)
        return warning(
          'webhooks',
          message,
          'Redirects are not followed: write where it leads to into WEBHOOKS.',
        );
      return ok('webhooks', message);
    } finally {
      sender.close();
    }
  });
  return Promise.all(findings);
}
