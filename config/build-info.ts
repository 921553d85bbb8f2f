import { join } from 'node:path';

/** What `npm run build` notes of the code that it bundles. */
export interface BuildInfo {
  /** The commit, shortened, with `-dirty` where files were changed since; empty where the build did not know it. */
  readonly commit: string;
  /** From the folder of a program that is bundled to that of the build, where its files are. */
  readonly files: string;
}

/** Put here by the build. */
declare const ROLLCALL_BUILD: BuildInfo;

/** The build that runs; `undefined` where the sources do. */
export const buildInfo: BuildInfo | undefined =
  typeof ROLLCALL_BUILD === 'undefined' ? undefined : ROLLCALL_BUILD;

/** The folder of the files that a program in `folder` has beside it: that of the build, or its own where the sources run. */
export function filesOf(folder: string): string {
  return join(folder, buildInfo?.files ?? '');
}
