export type { ChangesOptions } from './changes.ts';
export {
  type Account,
  type Answered,
  type Call,
  type Change,
  type Client,
  createClient,
  type DryRun,
  type FeedEntry,
  type QueryOf,
  type RequestOf,
  type RouteName,
} from './client.ts';
export type { List, Page } from './list.ts';
export { isProblem, Problem, Unreachable } from './problem.ts';
export type { Operations, ProblemDetails, RefusalCode, Routes } from './routes.ts';
export { type ClientOptions, type Token, versionOf } from './send.ts';
export type { CallOptions, Id, Patch, Upload, UploadOptions, WriteOptions } from './typed-operations.ts';
export {
  type ReceivedMessage,
  type VerifyOptions,
  verifyWebhook,
  WebhookError,
  type WebhookMessage,
} from './webhooks.ts';
