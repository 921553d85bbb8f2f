import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { slug } from 'github-slugger';
import { type DefaultTheme, defineConfig } from 'vitepress';
import { checkLinks } from '../build/check-links.ts';
import { contents, contentsFaults, examples } from '../build/contents.ts';
import { linkFaults } from '../build/links.ts';
import { PUBLIC, writeMadePages } from '../build/made-pages.ts';
import { forSite } from '../build/markdown.ts';
import { addressOf, ROOT, read, writtenPages } from '../build/repository.ts';

const faults = [...contentsFaults(), ...linkFaults()];
if (faults.length > 0) throw new Error(`The documentation has faults:\n${faults.join('\n')}`);
const reference = writeMadePages();

const groups = contents();
const { version, description } = JSON.parse(read('package.json'));
const icon = `data:image/svg+xml,${encodeURIComponent(read('src/console/icon.svg'))}`;
const base = process.env['BASE'] || '/';

/** Those of the console, whose colours need them. */
const BROWSERS = ['chrome123', 'firefox120', 'safari17.5'];

const descriptions = new Map(
  [...groups.flatMap(({ entries }) => entries), ...examples()].map(({ source, description }) => [
    source,
    description.replace(/[`*]|\[([^\]]*)\]\([^)]*\)/g, '$1'),
  ]),
);

const item = (title: string, source: string): DefaultTheme.SidebarItem => ({
  text: title,
  link: addressOf(source) ?? '',
});

const sidebar: DefaultTheme.SidebarItem[] = groups.map(({ title, entries }) => ({
  text: title,
  items: entries.map(({ title, source }) => ({
    ...item(title, source),
    ...(source === 'examples/README.md' && {
      collapsed: true,
      items: examples().map(({ title, source }) => item(title, source)),
    }),
  })),
}));

const referenceSidebar: DefaultTheme.SidebarItem[] = reference.map(({ title, address, sections }) => ({
  text: title,
  link: address.replace(/index$/, ''),
  ...(sections.length > 0 && {
    collapsed: true,
    items: sections.map(({ title, anchor }) => ({ text: title, link: `${address}#${anchor}` })),
  }),
}));

/** What else the repository has on its top floor: no page of it is one of the site. */
const shown = new Set(['site', ...writtenPages().map((path) => path.split('/')[0])]);
const others = readdirSync(ROOT, { withFileTypes: true })
  .filter(({ name }) => !shown.has(name))
  .map((entry) => (entry.isDirectory() ? `${entry.name}/**` : entry.name));

export default defineConfig({
  title: 'Rollcall',
  description,
  lang: 'en',
  base,
  srcDir: ROOT,
  srcExclude: others,
  outDir: process.env['OUT'] || join(ROOT, 'site/dist'),
  cacheDir: join(ROOT, 'site/node_modules/.cache'),
  rewrites: (source) => `${addressOf(source)}.md`.slice(1).replace(/(?<=^|\/)\.md$/, 'index.md'),
  head: [
    ['link', { rel: 'icon', href: icon, type: 'image/svg+xml' }],
    ['meta', { name: 'color-scheme', content: 'light dark' }],
  ],
  markdown: {
    anchor: { slugify: slug },
    config: forSite,
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
  },
  themeConfig: {
    logo: icon,
    nav: [
      {
        text: 'Documentation',
        link: '/documentation',
        activeMatch: '^/(?!reference/|examples/|files/|changelog|$)',
      },
      { text: 'HTTP API', link: '/reference/' },
      { text: 'Examples', link: '/examples/' },
      { text: version, link: '/changelog' },
    ],
    sidebar: { '/reference/': [{ text: 'HTTP API', items: referenceSidebar }], '/': sidebar },
    outline: [2, 3],
    search: { provider: 'local' },
    notFound: {
      title: 'Page not found',
      quote: 'Nothing is at this address. The search knows every page.',
      linkText: 'First page',
      linkLabel: 'First page',
    },
    docFooter: { prev: 'Before', next: 'Next' },
  },
  transformPageData({ filePath }) {
    const description = descriptions.get(filePath);
    return description === undefined ? undefined : { description };
  },
  buildEnd: ({ outDir }) => checkLinks(outDir, base),
  vite: {
    plugins: [
      {
        name: 'vue-of-the-site',
        enforce: 'pre',
        // The pages are not below the folder that Vue is installed in, so it would not be found from there.
        resolveId: (id, _importer, { ssr }) =>
          ssr && /^vue(?:\/server-renderer)?$/.test(id) ? { id, external: true } : undefined,
      },
    ],
    publicDir: join(ROOT, PUBLIC),
    // What is larger is the index of the search, which is loaded when somebody searches.
    build: { target: BROWSERS, chunkSizeWarningLimit: 2_000 },
    optimizeDeps: { esbuildOptions: { target: BROWSERS } },
    server: { watch: { ignored: ['**/.data/**', '**/dist/**', '**/coverage/**'] } },
  },
});
