/** The oldest Node.js that runs every part of Rollcall: `engines.node` of package.json. */
export const OLDEST_NODE = '22.17';

/** What is the matter with this Node.js, if it is too old. */
export function nodeProblem(): string | undefined {
  const { node } = process.versions;
  if (!isOlder(node, OLDEST_NODE)) return undefined;
  return `Rollcall needs Node.js ${OLDEST_NODE} or newer, but this is ${node}: upgrade Node.js`;
}

/** Whether one version of Node.js is older than another. Not by `localeCompare`, which loads tables for 8 ms at each start. */
function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}
