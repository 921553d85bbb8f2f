/** What `npm run build` notes of the code that it bundles. */
export interface BuildInfo {
  /** The commit, shortened, with `-dirty` where files were changed since; empty where the build did not know it. */
  readonly commit: string;
}

/** Put here by the build. */
declare const ROLLCALL_BUILD: BuildInfo;

/** The build that runs; `undefined` where the sources do. */
export const buildInfo: BuildInfo | undefined =
  typeof ROLLCALL_BUILD === 'undefined' ? undefined : ROLLCALL_BUILD;
