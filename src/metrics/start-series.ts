import { Gauge, type Registry } from 'prom-client';
import type { Phase } from '../http/server/lifecycle.ts';

/** Shows in this series whether the process is starting. */
export function startSeries(registry: Registry, phase: () => Phase): void {
  new Gauge({
    name: 'rollcall_starting',
    help: 'Whether the process is starting, and so cannot serve yet.',
    registers: [registry],
    collect() {
      this.set(phase() === 'booting' ? 1 : 0);
    },
  });
}
