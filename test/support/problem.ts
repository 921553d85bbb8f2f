import { STATUS_CODES } from 'node:http';
import { expect } from 'chai';

/** Asserts that the answer is this problem (RFC 9457), with all of its members and no others, and returns it. */
export async function expectProblem(
  response: Response,
  status: number,
  code: string,
): Promise<Record<string, unknown>> {
  const text = await response.text();
  expect(response.status, text).to.equal(status);
  expect(response.headers.get('content-type')).to.equal('application/problem+json');
  const { detail, errors, ...problem } = JSON.parse(text);
  expect(problem).to.deep.equal({
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    code,
    requestId: response.headers.get('x-request-id'),
  });
  expect(detail).to.be.a('string').that.is.not.empty;
  return { ...problem, detail, ...(errors && { errors }) };
}

/** The reason for which the promise rejects, or `undefined` if it resolves. */
export async function refusalOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
