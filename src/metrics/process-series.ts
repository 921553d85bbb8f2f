import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import packageJson from '../../package.json' with { type: 'json' };
import { gcSeries } from './gc-series.ts';

/**
 * What is shown of the library's own series of Node.js processes; the first of a group sets the others, and so comes first.
 */
const SHOWN = [
  'process_cpu_user_seconds_total',
  'process_cpu_system_seconds_total',
  'process_resident_memory_bytes',
  'process_start_time_seconds',
  'process_open_fds',
  'process_max_fds',
  'nodejs_eventloop_lag_seconds',
  'nodejs_eventloop_lag_p50_seconds',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_eventloop_lag_max_seconds',
  'nodejs_heap_size_total_bytes',
  'nodejs_heap_size_used_bytes',
];

/** Shows the process in these series: its build, of this commit, its processor, memory, files, event loop and garbage collection. */
export function processSeries(registry: Registry, commit: string): void {
  new Gauge({
    name: 'rollcall_build_info',
    help: 'Always 1; its labels say which code runs.',
    labelNames: ['version', 'commit', 'node'],
    registers: [registry],
  }).set({ version: packageJson.version, commit, node: process.versions.node }, 1);
  gcSeries(registry);
  const all = new Registry();
  collectDefaultMetrics({ register: all });
  for (const name of SHOWN) {
    const series = all.getSingleMetric(name);
    // Some exist on Linux alone.
    if (series !== undefined) registry.registerMetric(series);
  }
}
