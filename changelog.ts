/**
 * `npm run changelog` writes the section of this version into CHANGELOG.md: the subjects of the commits since the last release, which is the
 * last tag such as `v0.2.0`, by what they change. Commits that change only tests, pages or CI are left out.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const FILE = 'CHANGELOG.md';

const HEAD = `# Changelog

What each version has, in the words of its commits. [Upgrading](docs/upgrading.md) says what to do for it, and what stays the same.
`;

/** What a commit is listed under: the part of which it changes the most lines. The first pattern that matches a path counts. */
const PARTS: readonly (readonly [title: string, paths: RegExp])[] = [
  ['The console', /^src\/console\//],
  [
    'The client and the package',
    /^(?:src\/client\/|src\/http\/typescript\/|src\/koa|src\/commands\/rollcall|pack\.ts)/,
  ],
  ['The command line', /^src\/commands\//],
  [
    'Running it',
    /^(?:Dockerfile|compose\.yaml|deploy\/|config\/|build\.ts|src\/(?:boot|metrics|tracing)\/|src\/\w+\.ts)/,
  ],
  ['The database', /^(?:migrations|src\/(?:database|persistence|store))\//],
  ['Sign-in and access', /^src\/(?:security|services\/access)\//],
  ['The API', /^src\//],
];

interface Commit {
  readonly subject: string;
  readonly part: string | undefined;
}

const git = (...args: string[]) =>
  execFileSync('git', args, { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });

/** The last release before this, if there is one. A tag of this version itself is none: the section can be written again. */
function lastRelease(version: string): string | undefined {
  const tags = git('tag', '--list', 'v*', '--merged', 'HEAD', '--sort=-version:refname').split('\n');
  return tags.find((tag) => tag !== '' && tag !== `v${version}`);
}

/** The commits since a release, the newest first. */
function commitsSince(release: string | undefined): Commit[] {
  const range = release === undefined ? 'HEAD' : `${release}..HEAD`;
  const listed = git('log', '--no-merges', '--no-renames', '--numstat', '--format=%x00%s', range);
  return listed
    .split('\0')
    .slice(1)
    .map((text) => {
      const [subject = '', ...rest] = text.split('\n');
      return { subject, part: partOf(rest) };
    });
}

function partOf(numstat: readonly string[]): string | undefined {
  const lines = new Map<string, number>();
  for (const line of numstat) {
    const [added = '', removed = '', path = ''] = line.split('\t');
    const [part] = PARTS.find(([, paths]) => paths.test(path)) ?? [];
    if (part !== undefined)
      lines.set(part, (lines.get(part) ?? 0) + (Number(added) || 0) + (Number(removed) || 0));
  }
  return [...lines].sort(([, a], [, b]) => b - a)[0]?.[0];
}

function sectionOf(version: string, commits: readonly Commit[]): string {
  const date = git('log', '-1', '--format=%cs').trim();
  const byPart = Map.groupBy(commits, ({ part }) => part);
  const parts = PARTS.flatMap(([title]) => {
    const lines = (byPart.get(title) ?? []).map(({ subject }) => `- ${escaped(subject)}`);
    return lines.length === 0 ? [] : [`### ${title}\n\n${lines.join('\n')}\n`];
  });
  return `## ${version} (${date})\n\n${parts.join('\n')}`;
}

/** A subject as Markdown that shows it as it is. */
function escaped(subject: string): string {
  return subject.replace(/[\\`*_<>[\]]/g, '\\$&');
}

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const sections = existsSync(FILE)
  ? readFileSync(FILE, 'utf8')
      .split(/^(?=## )/m)
      .slice(1)
  : [];
const others = sections.filter((section) => !section.startsWith(`## ${version} (`));
const commits = commitsSince(lastRelease(version));
writeFileSync(
  FILE,
  [HEAD, sectionOf(version, commits), ...others].map((text) => `${text.trimEnd()}\n`).join('\n'),
);
console.log(
  `${FILE} has version ${version}: ${commits.filter(({ part }) => part).length} of ${commits.length} commits.`,
);
