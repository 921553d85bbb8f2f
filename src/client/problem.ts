import type { ProblemDetails, RefusalCode } from './routes.ts';

/** A refusal of the service (RFC 9457). Its `code` says which. */
export class Problem<Code extends RefusalCode = RefusalCode> extends Error {
  override readonly name = 'Problem';
  readonly code: Code;
  readonly status: number;
  /** Finds the request in the service's log. */
  readonly requestId: string;
  /** All that the refusal says: the faults of the input in `errors`, for example. */
  readonly details: ProblemDetails & { readonly code: Code };
  /** In how many milliseconds to try again, where the service says so. */
  readonly retryAfterMs: number | undefined;

  constructor(details: ProblemDetails & { readonly code: Code }, retryAfterMs?: number) {
    super(details.detail);
    this.code = details.code;
    this.status = details.status;
    this.requestId = details.requestId;
    this.details = details;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The service did not answer: it could not be reached, did so too late, or what answered was not the service. `cause` says why. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  /** The status of an answer that is not the service's: that of a proxy, mostly. */
  readonly status: number | undefined;
  /** In how many milliseconds to try again, where what answered says so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message?: string,
    options: { cause?: unknown; status?: number; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether an error is a refusal of the service; with codes, whether it is one of these. */
export function isProblem<Code extends RefusalCode = RefusalCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is Problem<Code> {
  return error instanceof Problem && (codes.length === 0 || codes.includes(error.code as Code));
}

/** The error in an answer that is no success. */
export async function errorOf(answer: Response): Promise<Problem | Unreachable> {
  const details = (await answer.json().catch(() => undefined)) as ProblemDetails | undefined;
  const retryAfterMs = retryAfterOf(answer.headers.get('Retry-After'));
  if (typeof details?.code === 'string') return new Problem(details, retryAfterMs);
  const { status } = answer;
  return new Unreachable(`Not an answer of the service: status ${status}.`, { status, retryAfterMs });
}

/** Seconds, or a date (RFC 9110, section 10.2.3), in milliseconds from now. */
function retryAfterOf(header: string | null): number | undefined {
  if (!header) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
