import { expect } from 'chai';
import { refusals } from '../../src/domain/refusals.ts';
import { change } from '../../src/http/endpoint.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { testEndpoint } from '../support/endpoints.ts';
import { expectProblem } from '../support/problem.ts';

const HIDDEN = 'postgres://app:hunter2@db';

const thrown: [what: string, throwIt: () => never][] = [
  ['an error', () => raise(new Error(HIDDEN))],
  ['an error with a status', () => raise(Object.assign(new Error(HIDDEN), { status: 418, expose: true }))],
  ['an error with a cause', () => raise(new Error('x', { cause: new Error(HIDDEN) }))],
  ['several errors at once', () => raise(new AggregateError([new Error(HIDDEN)], HIDDEN))],
  ['a string', () => raise(HIDDEN)],
  ['an object', () => raise({ message: HIDDEN, code: 'not_found', status: 404 })],
  ['undefined', () => raise(undefined)],
];

describe('a problem', () => {
  let app: TestApp;

  before(async () => {
    const failing = thrown.map(([, throwIt], index) =>
      testEndpoint({
        method: 'POST',
        path: `/fail/${index}`,
        access: 'public',
        handle: throwIt,
        view: () => ({}),
      }),
    );
    app = await startApp({
      extra: [
        ...failing,
        testEndpoint({
          method: 'GET',
          path: '/refuse',
          access: 'public',
          handle: () => raise(Object.assign(refusals.emailInvalid(), { cause: new Error(HIDDEN) })),
          view: () => ({}),
        }),
        testEndpoint({
          method: 'GET',
          path: '/unshowable',
          access: 'public',
          handle: () => 1n,
          view: (outcome) => ({ outcome }),
        }),
        change({
          method: 'PATCH',
          path: '/healthz',
          access: 'public',
          summary: 'For a test',
          description: 'For a test.',
          answer: { status: 200, description: 'Done.' },
          changes: () => ({ version: 1 }),
          handle: () => 'patched',
          view: (outcome) => ({ outcome }),
        }),
      ],
    });
  });

  after(() => app.close());

  beforeEach(() => {
    app.log.length = 0;
  });

  const errorsLogged = () => app.log.filter(({ level }) => (level as number) >= 50);

  for (const path of ['/', '/v1', '/v1/me/x', '/v1/meow', '/v1%2Fme', '/%', '/%00', '/../x', '/?/v1/me']) {
    it(`is 404 at an unknown path: ${path}`, async () => {
      const { detail } = await expectProblem(await app.call(path), 404, 'not_found');
      expect(detail).to.equal('Nothing exists at this path.');
      expect(errorsLogged()).to.deep.equal([]);
    });
  }

  for (const method of ['POST', 'PUT', 'DELETE', 'PROPFIND', 'LOCK']) {
    it(`is 405 for ${method} where it is not allowed, and lists the allowed methods`, async () => {
      const response = await app.call('/readyz', { method });
      expect(response.headers.get('allow')).to.equal('HEAD, GET');
      await expectProblem(response, 405, 'method_not_allowed');
    });
  }

  it('lists the methods of all endpoints at a path', async () => {
    const response = await app.call('/healthz', { method: 'DELETE' });
    expect(response.headers.get('allow')).to.equal('HEAD, GET, PATCH');
    await expectProblem(response, 405, 'method_not_allowed');
  });

  it('is 404, not 405, for any method at an unknown path', async () => {
    await expectProblem(await app.call('/nowhere', { method: 'POST' }), 404, 'not_found');
    await expectProblem(await app.call('/nowhere', { method: 'OPTIONS' }), 404, 'not_found');
  });

  it('is not the answer to OPTIONS, which lists the allowed methods', async () => {
    const response = await app.call('/readyz', { method: 'OPTIONS' });
    expect(response.status).to.equal(200);
    expect(response.headers.get('allow')).to.equal('HEAD, GET');
    expect(await response.text()).to.equal('');
  });

  it('has no body for HEAD', async () => {
    const response = await app.call('/nowhere', { method: 'HEAD' });
    expect(response.status).to.equal(404);
    expect(response.headers.get('content-type')).to.equal('application/problem+json');
    expect(await response.text()).to.equal('');
  });

  it('shows the detail of a refusal, and not its cause', async () => {
    const response = await app.call('/refuse');
    const { detail } = await expectProblem(response, 422, 'email_invalid');
    expect(detail).to.equal('This is not a valid email address.');
    expect(errorsLogged()).to.deep.equal([]);
  });

  for (const [index, [what]] of thrown.entries()) {
    it(`is 500 when a handler throws ${what}, and reveals nothing about it`, async () => {
      const response = await app.call(`/fail/${index}`, { method: 'POST' });
      const seen = JSON.stringify([...response.headers]);
      const problem = await expectProblem(response, 500, 'internal');
      expect(seen + JSON.stringify(problem)).not.to.include(HIDDEN);
      const [logged, ...others] = errorsLogged();
      expect(logged).to.include({
        requestId: problem['requestId'],
        code: 'internal',
        msg: 'request failed, by a fault of this program; report it with this line',
        level: 50,
      });
      expect(others).to.deep.equal([]);
    });
  }

  it('is logged with the stack of the bug and the request id of the answer', async () => {
    const response = await app.call('/fail/0', { method: 'POST' });
    const { requestId } = await expectProblem(response, 500, 'internal');
    const [logged] = errorsLogged();
    expect(logged?.['requestId']).to.equal(requestId);
    expect(logged?.['err']).to.include({ type: 'Error', message: HIDDEN });
    expect((logged?.['err'] as Error | undefined)?.stack).to.match(/problems\.test\.ts:\d+/);
  });

  it('is 500 when the result of a handler cannot be serialized', async () => {
    await expectProblem(await app.call('/unshowable'), 500, 'internal');
    expect(errorsLogged()).to.have.length(1);
    expect(app.log.at(-1)).to.include({ msg: 'request', status: 500 });
  });
});

function raise(error: unknown): never {
  throw error;
}
