import type { RefusalCode } from './refusals.ts';

/** Where in the input a fault lies (a path of keys, such as `preferences.theme`), and what is wrong there. */
export interface InputError {
  readonly path: string;
  readonly message: string;
}

/** What a refusal tells the caller. It holds no secret. */
interface Content {
  readonly message: string;
  /** What is wrong with the input, part by part. */
  readonly errors?: readonly InputError[];
  /** Further members of the problem (RFC 9457, section 3.2), by name. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** A constructor of refusals of one kind, with what the kind's refusals have in common. */
export interface RefusalKind<Code extends string = string, Args extends unknown[] = never[]> {
  (...args: Args): Refusal;
  readonly code: Code;
  /** The HTTP status (RFC 9110, section 15). */
  readonly status: number;
  /** A refusal of this kind, for the OpenAPI document. */
  example(): Refusal;
}

/**
 * Why a request was refused. The caller is told all of it. Each refusal is written once, in {@link refusals}: nothing else
 * constructs one.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly status: number;
  readonly errors: readonly InputError[] | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  private constructor(code: string, status: number, { message, errors, details, ...options }: Content) {
    super(message, options);
    this.code = code as RefusalCode;
    this.status = status;
    this.errors = errors;
    this.details = details;
  }

  /** Defines a kind of refusal: its code, its status, what it tells, and the arguments of its example. */
  static kind<const Code extends string, Args extends unknown[]>(
    code: Code,
    status: number,
    describe: (...args: Args) => Content | string,
    ...exampleArgs: NoInfer<Args>
  ): RefusalKind<Code, Args> {
    const construct = (...args: Args) => {
      const content = describe(...args);
      return new Refusal(code, status, typeof content === 'string' ? { message: content } : content);
    };
    return Object.assign(construct, { code, status, example: () => construct(...exampleArgs) });
  }
}
