/**
 * What the author of a unit of work must still be allowed when it commits: to act as an active account, as an admin, or
 * with a service token. With `sessionId`, the session of the console that it acts by must last too.
 */
export type Right =
  | { readonly accountId: number; readonly asAdmin: boolean; readonly sessionId?: number | undefined }
  | { readonly serviceTokenId: number };
