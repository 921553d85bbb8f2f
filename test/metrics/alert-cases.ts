/** An alert with series under which it fires, and others under which it is quiet, in promtool's notation, a value a minute. */
export interface AlertCase {
  readonly alert: string;
  /** When to look. */
  readonly at: string;
  readonly fires: Readonly<Record<string, string>>;
  readonly quiet: Readonly<Record<string, string>>;
}

const REQUESTS = 'rollcall_http_requests_total{route="/v1/me",status="200"}';
const FAILED = 'rollcall_http_requests_total{route="/v1/me",status="503"}';
const PROBES = 'rollcall_http_requests_total{route="/readyz",status="200"}';
const FAILED_PROBES = 'rollcall_http_requests_total{route="/readyz",status="503"}';
const LIMITED = 'rollcall_rate_limited_total{limit="failures"}';
const DURATION = 'rollcall_http_request_duration_seconds_bucket';

/** A gauge that has one value for two hours, and one that has another. */
const gauge = (series: string, bad: number, good: number) => ({
  fires: { [series]: `${bad}x120` },
  quiet: { [series]: `${good}x120` },
});

/** Every alert, once or more. */
export const ALERTS: readonly AlertCase[] = [
  { alert: 'RollcallDown', at: '10m', ...gauge('up{job="rollcall",instance="a"}', 0, 1) },
  {
    alert: 'RollcallStarting',
    at: '20m',
    // It ends at its deadline and is started again, and there is not always an answer to a scrape.
    fires: { 'rollcall_starting{instance="a"}': '1 _ 1 1 _ 1 1 _ 1 1 _ 1 1 _ 1 1 _ 1 1 _ 1' },
    quiet: { 'rollcall_starting{instance="a"}': '1 1 1 0x30' },
  },
  {
    alert: 'RollcallRestarts',
    at: '30m',
    fires: { 'process_start_time_seconds{job="rollcall"}': '1 1 2 2 3 3 4 4 5x40' },
    quiet: { 'process_start_time_seconds{job="rollcall"}': '1 1 2x40' },
  },
  { alert: 'RollcallDatabaseDown', at: '10m', ...gauge('rollcall_database_up{instance="a"}', 0, 1) },
  {
    alert: 'RollcallReplicaLeftOut',
    at: '30m',
    ...gauge('rollcall_replica_used{replica="1",instance="a"}', 0, 1),
  },
  {
    alert: 'RollcallErrors',
    at: '20m',
    fires: { [REQUESTS]: '0+900x30', [FAILED]: '0+100x30' },
    quiet: { [REQUESTS]: '0+9990x30', [FAILED]: '0+10x30' },
  },
  {
    alert: 'RollcallErrors',
    at: '20m',
    // Nobody but the probes is well.
    fires: { [FAILED]: '0+1x30', [PROBES]: '0+108x30' },
    // One replica of three is not ready, and gets no requests.
    quiet: { [REQUESTS]: '0+9x30', [PROBES]: '0+72x30', [FAILED_PROBES]: '0+36x30' },
  },
  {
    alert: 'RollcallSlow',
    at: '30m',
    fires: {
      [`${DURATION}{route="/readyz",le="1"}`]: '0+9000x40',
      [`${DURATION}{route="/readyz",le="+Inf"}`]: '0+9000x40',
      [`${DURATION}{route="/v1/me",le="1"}`]: '0+90x40',
      [`${DURATION}{route="/v1/me",le="2.5"}`]: '0+100x40',
      [`${DURATION}{route="/v1/me",le="+Inf"}`]: '0+100x40',
    },
    // Streams and transfers take as long as they take.
    quiet: {
      [`${DURATION}{route="/readyz",le="1"}`]: '0+0x40',
      [`${DURATION}{route="/readyz",le="+Inf"}`]: '0+900x40',
      [`${DURATION}{route="/v1/me",le="1"}`]: '0+100x40',
      [`${DURATION}{route="/v1/me",le="+Inf"}`]: '0+100x40',
      [`${DURATION}{route="/v1/changes",le="1"}`]: '0+0x40',
      [`${DURATION}{route="/v1/changes",le="+Inf"}`]: '0+900x40',
      [`${DURATION}{route="/v1/users/export",le="1"}`]: '0+0x40',
      [`${DURATION}{route="/v1/users/export",le="+Inf"}`]: '0+900x40',
    },
  },
  {
    alert: 'RollcallOverloaded',
    at: '20m',
    fires: { 'rollcall_problems_total{code="overloaded",instance="a"}': '0+60x30' },
    quiet: { 'rollcall_problems_total{code="not_found",instance="a"}': '0+60x30' },
  },
  {
    alert: 'RollcallEventLoopLate',
    at: '20m',
    ...gauge('nodejs_eventloop_lag_p99_seconds{job="rollcall"}', 0.4, 0.02),
  },
  { alert: 'RollcallPoolExhausted', at: '20m', ...gauge('rollcall_pool_waiting{instance="a"}', 5, 0) },
  {
    alert: 'RollcallReplays',
    at: '1h',
    fires: {
      'rollcall_replays_total{reason="race"}': '0+60x90',
      'rollcall_flushes_total{way="statement"}': '0+120x90',
    },
    quiet: {
      'rollcall_replays_total{reason="lock"}': '0+60x90',
      'rollcall_flushes_total{way="statement"}': '0+12000x90',
    },
  },
  { alert: 'RollcallFeedHeldBack', at: '10m', ...gauge('rollcall_feed_lag_seconds{instance="a"}', 90, 2) },
  {
    alert: 'RollcallWebhookParked',
    at: '5m',
    ...gauge('rollcall_webhook_parked{webhook="crm",instance="a"}', 1, 0),
  },
  {
    alert: 'RollcallWebhookBehind',
    at: '20m',
    ...gauge('rollcall_webhook_oldest_seconds{webhook="crm",instance="a"}', 1_000, 60),
  },
  {
    alert: 'RollcallErasureOverdue',
    at: '30m',
    // The eraser comes once an hour.
    ...gauge('rollcall_erasure_overdue_seconds{instance="a"}', 14_400, 3_600),
  },
  {
    alert: 'RollcallMigrationsPending',
    at: '20m',
    ...gauge('rollcall_migrations_pending{instance="a"}', 2, 0),
  },
  {
    alert: 'RollcallProviderKeys',
    at: '30m',
    fires: {
      'rollcall_provider_key_fetches_total{issuer="https://id.example.com",result="failed"}': '0+1x40',
    },
    // One that failed and was repeated.
    quiet: {
      'rollcall_provider_key_fetches_total{issuer="https://id.example.com",result="failed"}': '0+1x40',
      'rollcall_provider_key_fetches_total{issuer="https://id.example.com",result="ok"}': '0+1x40',
    },
  },
  {
    alert: 'RollcallSignInsRefused',
    at: '40m',
    fires: {
      [REQUESTS]: '0+60x60',
      'rollcall_sign_ins_refused_total{cause="invalid_credentials"}': '0+50x60',
      [LIMITED]: '0x60',
    },
    // Pages that look whether anybody is signed in.
    quiet: {
      [REQUESTS]: '0+60x60',
      'rollcall_sign_ins_refused_total{cause="no_credentials"}': '0+50x60',
      [LIMITED]: '0x60',
    },
  },
  {
    alert: 'RollcallSignInsRefused',
    at: '40m',
    // A wrong AUTH_SECRET behind one address, at five requests a second: most of them are over RATE_LIMIT_FAILURES.
    fires: {
      'rollcall_http_requests_total{route="/v1/me",status="401"}': '0+30x60',
      'rollcall_http_requests_total{route="/v1/me",status="429"}': '0+270x60',
      'rollcall_sign_ins_refused_total{cause="invalid_credentials"}': '0+30x60',
      [LIMITED]: '0+270x60',
    },
    // Somebody tries tokens, while others are served.
    quiet: {
      [REQUESTS]: '0+600x60',
      'rollcall_http_requests_total{route="/v1/me",status="429"}': '0+270x60',
      'rollcall_sign_ins_refused_total{cause="invalid_credentials"}': '0+30x60',
      [LIMITED]: '0+270x60',
    },
  },
  {
    alert: 'RollcallFileDescriptors',
    at: '20m',
    fires: {
      'process_open_fds{job="rollcall"}': '900x30',
      'process_max_fds{job="rollcall"}': '1024x30',
    },
    quiet: { 'process_open_fds{job="rollcall"}': '90x30', 'process_max_fds{job="rollcall"}': '1024x30' },
  },
  {
    alert: 'RollcallVersionsDiffer',
    at: '90m',
    // Of one release: its version is the same.
    fires: {
      'rollcall_build_info{version="1.0.0",commit="0123456789ab",instance="a"}': '1x120',
      'rollcall_build_info{version="1.0.0",commit="ba9876543210",instance="b"}': '1x120',
    },
    quiet: {
      'rollcall_build_info{version="1.1.0",commit="0123456789ab",instance="a"}': '1x120',
      'rollcall_build_info{version="1.1.0",commit="0123456789ab",instance="b"}': '1x120',
    },
  },
];
