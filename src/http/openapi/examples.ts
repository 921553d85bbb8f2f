import { refusals } from '../../domain/refusals.ts';
import { type Problem, problemOf } from '../answer/problem.ts';
import type { AnyRefusalKind, Endpoint } from '../endpoint.ts';
import { checkBody } from '../request/input.ts';

const REQUEST_ID = '5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11';

/** An example of a refusal by an endpoint, with the endpoint's own schema and media types. */
export function exampleOf(kind: AnyRefusalKind, endpoint: Endpoint): Problem {
  return problemOf(refusalOf(kind, endpoint), REQUEST_ID);
}

function refusalOf(kind: AnyRefusalKind, { body, upload, answer }: Endpoint): unknown {
  switch (kind) {
    case refusals.unsupportedUpload:
      return refusals.unsupportedUpload(upload?.types ?? []);
    case refusals.unsupportedMediaType:
      return refusals.unsupportedMediaType(body?.types ?? []);
    case refusals.notAcceptable:
      return refusals.notAcceptable([answer.type ?? []].flat());
    case refusals.invalidBody:
      return thrownBy(() => checkBody(body?.schema, []));
    default:
      return kind.example();
  }
}

function thrownBy(check: () => unknown): unknown {
  try {
    check();
  } catch (error) {
    return error;
  }
  throw new Error('The schema accepts an array.');
}
