import { type Refusal, refusals } from '../../domain/refusals.ts';
import { type Problem, problemOf } from '../answer/problem.ts';
import type { AnyRefusalKind, Endpoint } from '../endpoint.ts';

const REQUEST_ID = '5f0c4b1e-8a53-4d0e-9d0b-3f1f6a2b7c11';

/** An example of a refusal by an endpoint, with the endpoint's own media types where the refusal names some. */
export function exampleOf(kind: AnyRefusalKind, { body, upload, answer }: Endpoint): Problem {
  const example = (): Refusal => {
    if (kind === refusals.unsupportedMediaType) {
      return refusals.unsupportedMediaType((body ?? upload)?.types ?? []);
    }
    if (kind === refusals.notAcceptable) return refusals.notAcceptable([answer.type ?? []].flat());
    return kind.example();
  };
  return problemOf(example(), REQUEST_ID);
}
