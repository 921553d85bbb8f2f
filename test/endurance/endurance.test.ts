import { join } from 'node:path';
import { expect } from 'chai';
import { programOf } from '../support/programs.ts';
import { runDirectory } from '../support/run-directory.ts';
import { Endurance } from './endurance.ts';
import { FAULTS, type Fault } from './faults/index.ts';
import type { Entry } from './ledger.ts';
import { rowsOf } from './report.ts';
import { openStage, type ServerStage } from './stage.ts';

const SEED = 11;

/** The quick ones that lose answers, end all connections, a replica, and PostgreSQL. */
const QUICK = ['lost-answers', 'kill-back-ends', 'kill-replica', 'kill-postgres'];

describe('three replicas under load, of which connections, processes and PostgreSQL are killed', function () {
  this.timeout(300_000);

  let run: Endurance<ServerStage>;

  before(async () => {
    const folder = join(runDirectory(), `endurance-${process.pid}`);
    const stage = await openStage({ entry: programOf('src/server.ts'), folder });
    run = await Endurance.begin(stage, { seed: SEED, pauseMs: 20, outageSeconds: 2 });
    for (const name of QUICK)
      await run.endure(FAULTS.find((fault) => fault.name === name) as Fault<ServerStage>);
    await run.rest();
  });

  after(() => run.close());

  it('lose nothing, double nothing, and write nothing that was refused', async () => {
    const findings = await run.audit();
    expect(findings).to.deep.equal([]);
    const rows = rowsOf(run.phases, run.ledger.entries, findings);
    expect(rows.map(({ name }) => name)).to.deep.equal(['before', ...QUICK]);
    for (const row of rows) expect(row.acknowledged, row.name).to.be.above(0);
  });

  it('are found out where the database was changed behind their back', async () => {
    const write = (outcome: Entry['outcome'], skip = 0) =>
      run.ledger.entries.filter(
        (entry) => entry.action === 'updated' && entry.outcome === outcome && entry.status > 0,
      )[skip]?.id;
    const [lost, doubled, refused] = [write('acknowledged'), write('acknowledged', 1), write('refused')];
    const copy = (as: string | undefined, from: string | undefined) =>
      run.stage.query(
        `insert into changes (actor, request_id, user_id, action, before, after, fields, version)
         select actor, $1, user_id, action, before, after, fields, version from changes where request_id = $2`,
        [as, from],
      );
    await copy(refused, doubled);
    await copy(doubled, doubled);
    await run.stage.query('delete from changes where request_id = $1', [lost]);
    await run.stage.query(`update users set name = 'Somebody else' where email = 'person0@example.com'`);

    const findings = await run.audit();
    const of = (kind: string) => findings.filter((finding) => finding.kind === kind);
    expect(of('lost').map(({ requestId }) => requestId)).to.deep.equal([lost]);
    expect(of('doubled').map(({ requestId }) => requestId)).to.include(doubled);
    expect(of('phantom').map(({ requestId }) => requestId)).to.deep.equal([refused]);
    expect(of('replay').map(({ detail }) => detail)).to.satisfy((details: string[]) =>
      details.some((detail) => detail.includes('Somebody else')),
    );
    expect(of('feed')).to.have.length(2);
    const total = rowsOf(run.phases, run.ledger.entries, findings).reduce((sum, row) => sum + row.lost, 0);
    expect(total).to.equal(1);
  });
});
