import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { refusals } from '../../src/domain/refusals.ts';
import { createMigratedDatabase } from '../support/database.ts';
import { type Scrape, startObserved } from '../support/metrics.ts';
import { WEBHOOK_SECRET } from '../support/webhooks.ts';
import { ALERTS, type AlertCase } from './alert-cases.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const RULES = 'config/observability/rollcall.rules.yml';
const rules = read(RULES);
const page = read('docs/observability.md');

/** Grafana's parts that the dashboard uses. */
interface Dashboard {
  readonly templating: { readonly list: readonly { name: string }[] };
  readonly panels: readonly {
    id: number;
    title: string;
    type: string;
    description?: string;
    gridPos: { x: number; y: number; w: number; h: number };
    targets?: readonly { expr: string }[];
  }[];
}
const dashboard: Dashboard = JSON.parse(read('config/observability/dashboard.json'));
const shown = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

const alerts = [...rules.matchAll(/^ +- alert: (\w+)$/gm)].map(([, name = '']) => name);
const records = [...rules.matchAll(/^ +- record: ([\w:]+)$/gm)].map(([, name = '']) => name);

describe('the files for operators', function () {
  this.timeout(120_000);
  let scrape: Scrape;

  before(async () => {
    const database = await createMigratedDatabase();
    const server = await startObserved({
      DATABASE_URL: database.url,
      WEBHOOKS_ALLOW_PRIVATE: 'true',
      WEBHOOKS: JSON.stringify([{ name: 'crm', url: 'http://127.0.0.1:9/', secret: WEBHOOK_SECRET }]),
    });
    scrape = await server.scrape();
    await server.end('SIGTERM');
    await database.drop();
  });

  /** The names of series in PromQL, without what histograms add to theirs. */
  const namesIn = (text: string) =>
    [...text.matchAll(/\b(?:rollcall|process|nodejs)_\w+/g)].map(([name]) =>
      name.replace(/_(?:bucket|sum|count)$/, ''),
    );

  it('use only series that there are', () => {
    const served = new Set(scrape.names);
    expect(served.size).to.be.greaterThan(20);
    for (const text of [rules, ...shown]) {
      const unknown = namesIn(text).filter((name) => !served.has(name));
      expect(unknown, text.slice(0, 80)).to.deep.equal([]);
    }
  });

  it('show every series on the dashboard', () => {
    const used = new Set(shown.flatMap(namesIn));
    // Whether a process began again is for an alert.
    const hidden = scrape.names.filter((name) => !used.has(name) && !namesIn(rules).includes(name));
    expect(hidden).to.deep.equal(['nodejs_heap_size_total_bytes', 'nodejs_eventloop_lag_seconds'].sort());
  });

  it('are explained: every series and every alert has a row on the page, and nothing else has', () => {
    const rows = (pattern: RegExp) => [...page.matchAll(pattern)].map(([, name]) => name);
    expect(rows(/^\| `((?:rollcall|process|nodejs)_\w+)` \|/gm)).to.have.members([...scrape.names]);
    expect(rows(/^\| `(Rollcall\w+)` \|/gm)).to.have.members(alerts);
  });

  it('say in each alert what it means and what to do, as the page does', () => {
    const bodies = rules.split(/^ +- alert: /m).slice(1);
    expect(bodies.length).to.be.greaterThan(10);
    for (const body of bodies) {
      expect(body).to.match(/severity: (?:critical|warning)\b/);
      const [summary, description, action] = ['summary', 'description', 'action'].map(
        (name) => new RegExp(`^ +${name}: (\\S.{15,})$`, 'm').exec(body)?.[1],
      );
      expect(summary, body).to.be.a('string');
      expect(page).to.include(`| ${description} | ${action} |`);
    }
  });

  it('explain every code of an error on our side', () => {
    const [, action = ''] = /alert: RollcallErrors\n(?: .*\n)*? +action: (.*)/.exec(rules) ?? [];
    const codes = Object.values(refusals).flatMap(({ code, status }) => (status >= 500 ? [code] : []));
    expect(codes).to.include('lock_timeout');
    for (const code of codes) expect(action).to.include(code);
  });

  it('record only what an alert or a panel uses', () => {
    for (const name of records)
      expect(rules.split(name).length + shown.join().split(name).length, name).to.be.above(3);
  });

  it('lay the panels of the dashboard out beside each other, each with a word about it', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
    const cells = new Set<string>();
    for (const { title, type, description = '', gridPos, targets = [] } of dashboard.panels) {
      const { x, y, w, h } = gridPos;
      expect(x + w, title).to.be.at.most(24);
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          expect(cells.has(`${column},${line}`), `${title} lies on another panel`).to.equal(false);
          cells.add(`${column},${line}`);
        }
      }
      if (type === 'row') continue;
      expect(description, title).to.match(/\.$/);
      expect(targets, title).not.to.have.length(0);
    }
  });
});

describe('promtool', function () {
  this.timeout(120_000);

  if (spawnSync('promtool', ['--version']).error !== undefined) {
    it('checks the rules where it is installed', () => {
      const problem = 'The rules for Prometheus are not checked: install promtool (Debian: prometheus).';
      if (process.env['CI']) throw new Error(problem);
      console.warn(problem);
    });
    return;
  }

  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'rollcall-rules-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs it with a file of this content, or with input. */
  const promtool = (args: readonly string[], { file, input }: { file?: string; input?: string } = {}) => {
    const path = join(folder, 'file.yml');
    if (file !== undefined) writeFileSync(path, file);
    const all = [...args, ...(file === undefined ? [] : [path])];
    const { status, stdout, stderr } = spawnSync('promtool', all, { input, encoding: 'utf8' });
    return { status, said: stdout + stderr };
  };

  it('accepts the rules', () => {
    const { status, said } = promtool(['check', 'rules', join(ROOT, RULES)]);
    expect(status, said).to.equal(0);
    expect(said).to.include(`${alerts.length + records.length} rules found`);
  });

  it('accepts the configuration that names them', () => {
    const { status, said } = promtool(['check', 'config', join(ROOT, 'config/observability/prometheus.yml')]);
    expect(status, said).to.equal(0);
    expect(said).to.include('1 rule files found');
  });

  it('accepts every expression of the dashboard', () => {
    const variables = dashboard.templating.list.map(({ name }) => name);
    expect(variables).to.have.members(['datasource', 'job', 'instance']);
    const group = {
      name: 'dashboard',
      rules: shown.map((expr, n) => ({
        record: `panel:${n}`,
        expr: expr
          .replaceAll('$__rate_interval', '5m')
          .replaceAll('$job', 'rollcall')
          .replaceAll('$instance', '.*'),
      })),
    };
    for (const { expr } of group.rules) expect(expr).not.to.match(/\$(?!\{1\}xx)/);
    // JSON is YAML.
    const { status, said } = promtool(['check', 'rules'], { file: JSON.stringify({ groups: [group] }) });
    expect(status, said).to.equal(0);
    expect(said).to.include(`${shown.length} rules found`);
  });

  it('accepts what is served', async () => {
    const database = await createMigratedDatabase();
    const server = await startObserved({ DATABASE_URL: database.url });
    await fetch(`${server.url}/v1/me`);
    const { text } = await server.scrape();
    await server.end('SIGTERM');
    await database.drop();
    const { status, said } = promtool(['check', 'metrics'], { input: text });
    expect(status, said).to.equal(0);
    expect(said).to.equal('');
  });

  it('finds each alert to fire when it should, and to be quiet otherwise', () => {
    expect([...new Set(ALERTS.map(({ alert }) => alert))]).to.have.members(alerts);
    const test = ({ alert, at, ...cases }: AlertCase, which: 'fires' | 'quiet') => ({
      interval: '1m',
      input_series: Object.entries(cases[which]).map(([series, values]) => ({ series, values })),
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${alert}", alertstate="firing"}) or vector(0)`,
          eval_time: at,
          exp_samples: [{ labels: '{}', value: which === 'fires' ? 1 : 0 }],
        },
      ],
    });
    const file = JSON.stringify({
      rule_files: [join(ROOT, RULES)],
      tests: ALERTS.flatMap((one) => [test(one, 'fires'), test(one, 'quiet')]),
    });
    const { status, said } = promtool(['test', 'rules'], { file });
    expect(status, said).to.equal(0);
  });
});
