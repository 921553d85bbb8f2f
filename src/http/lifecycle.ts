/** Where in its life the process is, as far as those who ask over HTTP are concerned. */
export class Lifecycle {
  /** The server sets it; `/readyz` and the draining of connections go by it. */
  phase: 'booting' | 'ready' | 'draining' = 'booting';
}
