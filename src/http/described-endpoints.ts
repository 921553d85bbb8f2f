import { cursorCodec } from '../security/cursor.ts';
import { DIRECT } from '../security/web-client.ts';
import { RefusedSignInCounter } from '../services/access/refused-sign-ins.ts';
import type { ChangeFeed } from '../services/feed/change-feed.ts';
import { servedConsole } from './answer/served-console.ts';
import type { Endpoint } from './endpoint.ts';
import { type ConsoleDeps, endpoints } from './endpoints.ts';
import { Lifecycle } from './server/lifecycle.ts';

const noFiles = async () => new Map<string, Uint8Array>();

/** The route table for its descriptions alone: its handlers do not work. */
export function describedEndpoints(): Endpoint[] {
  return endpoints({
    lifecycle: new Lifecycle(),
    feed: {} as ChangeFeed,
    cursors: cursorCodec('a secret that nothing is sealed with'),
    pendingMigrations: async () => [],
    providerKeys: { states: [] },
    preferenceRules: { maxBytes: 16_384 },
    refusedSignIns: new RefusedSignInCounter(),
    accessPolicy: { policy: 'invited', domains: [] },
    sending: { allowPrivate: false, proxy: DIRECT, timeoutMs: 1 },
    webhooks: [],
    console: { serve: servedConsole(noFiles, '') } as ConsoleDeps,
    readConsoleFiles: noFiles,
    basePath: '',
    filesFolder: '',
  });
}
