import { Gauge, type Registry } from 'prom-client';
import type { Replicas } from '../store/replicas/replicas.ts';

/** Shows the read replicas in these series, each by its number. */
export function replicaSeries(registry: Registry, replicas: Pick<Replicas, 'standings'> | undefined): void {
  const ofReplicas = { labelNames: ['replica'], registers: [registry] };
  new Gauge({
    name: 'rollcall_replica_used',
    help: 'Whether a read replica is read from.',
    ...ofReplicas,
    collect() {
      this.reset();
      for (const { number, isUsed, isPrimary } of replicas?.standings() ?? [])
        if (!isPrimary) this.set({ replica: number }, isUsed ? 1 : 0);
    },
  });
  new Gauge({
    name: 'rollcall_replica_lag_seconds',
    help: 'How far a read replica lags.',
    ...ofReplicas,
    collect() {
      this.reset();
      for (const { number, lagMs } of replicas?.standings() ?? [])
        if (lagMs !== undefined) this.set({ replica: number }, lagMs / 1000);
    },
  });
}
