import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect } from 'chai';
import { describedEndpoints } from '../support/endpoints.ts';
import { ROOT } from './checkout.ts';
import { anchorsOf, fencesOf, linksOf, sectionsOf } from './markdown.ts';
import { PAGES, read } from './pages.ts';
import { withSettingsTable } from './settings-table.ts';
import { EXCERPTS, RUN_ELSEWHERE, stepsOf } from './transcript.ts';

const SETTINGS = 'docs/settings.md';

describe('the pages of the documentation', () => {
  for (const path of [...PAGES, 'CONTRIBUTING.md']) {
    describe(path, () => {
      const page = read(path);

      it('has no commands that nobody runs', () => {
        // Throws for any block that is neither run nor a sample.
        const steps = stepsOf(page);
        if (path === 'CONTRIBUTING.md') expect(steps).to.deep.equal([]);
      });

      it('has commands for curl 7.64 and for any shell', () => {
        for (const { commands } of stepsOf(page)) {
          expect(commands).not.to.match(/\s--json\b.*http/);
          // An interactive shell takes them for its history, and for patterns of files.
          const [unquoted] = /!|(?<=\s)http\S*[?&*]\S*/.exec(withoutQuotes(commands)) ?? [];
          expect(unquoted, `unquoted in: ${commands}`).to.equal(undefined);
        }
      });

      it('has no broken link', () => {
        const broken = linksOf(page)
          .filter(({ target }) => !leads(path, target))
          .map(({ target, line }) => `${path}:${line}: ${target}`);
        expect(broken).to.deep.equal([]);
      });

      it('names files that exist', () => {
        const named = [...page.matchAll(/`((?:src|config|test|migrations|\.ci)\/[\w./-]+)`/g)];
        const missing = named.map(([, file = '']) => file).filter((file) => !existsSync(join(ROOT, file)));
        expect(missing).to.deep.equal([]);
      });

      it('lists its sections', () => {
        if (!path.startsWith('docs/') || path === 'docs/README.md') return;
        const [, list = ''] = /\*\*On this page\*\*\n\n((?:- .*\n)+)/.exec(page) ?? [];
        const listed = [...list.matchAll(/^- \[(.*)\]\(#.*\)$/gm)].map(([, title]) => title);
        expect(listed).to.deep.equal(sectionsOf(page));
      });
    });
  }

  it('are all linked from the front page and from the index', () => {
    for (const index of ['README.md', 'docs/README.md']) {
      const linked = linksOf(read(index)).map(({ target }) => normalize(join(dirname(index), target)));
      const missing = PAGES.filter(
        (path) => path.startsWith('docs/') && path !== 'docs/README.md' && !linked.includes(path),
      );
      expect(missing, index).to.deep.equal([]);
    }
  });

  it('are all of the files in docs/, beside the pictures of the console', () => {
    const others = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => !PAGES.includes(`docs/${name}`) && !/^screenshots(\/[a-z-]+\.png)?$/.test(name),
    );
    expect(others).to.deep.equal([]);
  });

  it('have examples that install the package of this version', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const manifests = readdirSync(join(ROOT, 'examples')).map((name) =>
      join(ROOT, 'examples', name, 'package.json'),
    );
    const installed = manifests
      .filter((path) => existsSync(path))
      .map((path) => JSON.parse(readFileSync(path, 'utf8')).dependencies.rollcall);
    expect([...new Set(installed)]).to.deep.equal([`file:../../rollcall-${version}.tgz`]);
    const index = linksOf(read('examples/README.md')).map(({ target }) => target.split('/')[0]);
    const folders = readdirSync(join(ROOT, 'examples'), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    expect(index).to.have.members(folders.map(({ name }) => name));
  });

  it('keep the front page short', () => {
    expect(read('README.md').split('\n').length).to.be.at.most(150);
  });

  it('have every endpoint on the front page', () => {
    const rows = read('README.md').match(/^\| `(?:GET|POST|PUT|PATCH|DELETE)\b.*$/gm) ?? [];
    const listed = rows.flatMap((row) => {
      const [, cell = ''] = row.split(' | ', 1)[0]?.split('| ') ?? [];
      return endpointsIn(cell);
    });
    const served = describedEndpoints()
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
      // Parts of the pages at /docs and /console.
      .filter((endpoint) => !/^GET \/(?:docs|console)\//.test(endpoint));
    expect([...new Set(listed)].sort()).to.deep.equal(served.sort());
  });

  it('show of the programs with generated clients what is in them', () => {
    const folder = join(ROOT, 'test/openapi/programs');
    const programs = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const excerpts = PAGES.flatMap((path) =>
      fencesOf(read(path)).filter(({ language }) => EXCERPTS.includes(language)),
    );
    expect(excerpts).not.to.have.length(0);
    for (const { text } of excerpts) {
      expect(
        programs.some((program) => program.includes(text)),
        text,
      ).to.equal(true);
    }
  });

  it('say of commands that are run elsewhere where that is', () => {
    for (const { by, commands } of Object.values(RUN_ELSEWHERE)) {
      expect(readFileSync(join(ROOT, by), 'utf8')).to.match(commands);
    }
  });

  it('have every setting as the schema has it', () => {
    const page = read(SETTINGS);
    const expected = withSettingsTable(page);
    if (process.env['UPDATE_DOCS'] === 'true') writeFileSync(join(ROOT, SETTINGS), expected);
    else expect(page).to.equal(expected);
  });
});

/** The endpoints in a cell such as `GET`, `PATCH /v1/me`: methods without a path share the one of the next. */
function endpointsIn(cell: string): string[] {
  let methods: string[] = [];
  return [...cell.matchAll(/`([A-Z]+)(?: ([^`?]+)[^`]*)?`/g)].flatMap(([, method = '', path]) => {
    methods.push(method);
    if (path === undefined) return [];
    const found = methods.map((each) => `${each} ${path}`);
    methods = [];
    return found;
  });
}

/** Whether the target of a link is there: a file, and a heading where it names one. What is on the web is left alone. */
function leads(from: string, target: string): boolean {
  if (/^https?:/.test(target)) return true;
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? from : normalize(join(dirname(from), path));
  if (!existsSync(join(ROOT, file))) return false;
  return anchor === undefined || (file.endsWith('.md') && anchorsOf(read(file)).has(anchor));
}

function withoutQuotes(commands: string): string {
  return commands
    .replace(/<<'END'\n[\s\S]*?\nEND$/gm, '')
    .replace(/'[^']*'/g, '')
    .replace(/"[^"!]*"/g, '');
}
