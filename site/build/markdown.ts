import { relative } from 'node:path';
import type { MarkdownEnv, MarkdownRenderer } from 'vitepress';
import { diagram } from './diagram.ts';
import { hrefOnSite } from './links.ts';
import { ROOT } from './repository.ts';

type Token = ReturnType<MarkdownRenderer['parse']>[number];
type Env = MarkdownEnv & { readonly realPath?: string };

/** Shows the Markdown of the repository as pages of the site. */
export function forSite(md: MarkdownRenderer): void {
  md.core.ruler.push('links-on-site', ({ tokens, env }) => {
    const source = sourceOf(env);
    if (source !== undefined) setLinks(tokens, source);
  });
  md.core.ruler.push('own-list-of-sections', (state) => {
    state.tokens = withoutSections(state.tokens);
  });
  // A table that is wider than the page scrolls by itself, by the keyboard too.
  md.renderer.rules['table_open'] = () => '<div class="wide" tabindex="0"><table>\n';
  md.renderer.rules['table_close'] = () => '</table></div>\n';
  const { fence, code_inline: inline } = md.renderer.rules;
  // Long names may be broken after a part of them, so that columns of names leave room for the others.
  md.renderer.rules.code_inline = (tokens, index, options, env, self) =>
    (inline?.(tokens, index, options, env, self) ?? '').replace(/(?<=>)[^<]+(?=<)/, (text) =>
      text.replace(/[_/](?=\w)/g, '$&<wbr>'),
    );
  md.renderer.rules.fence = (tokens, index, options, env, self) => {
    const { info = '', content = '' } = tokens[index] ?? {};
    return info.trim() === 'mermaid' ? diagram(content) : (fence?.(tokens, index, options, env, self) ?? '');
  };
}

/** The path in the repository of the page that is rendered; a title by itself is of none. */
function sourceOf({ realPath, path = realPath }: Partial<Env>): string | undefined {
  return path && relative(ROOT, realPath ?? path).replaceAll('\\', '/');
}

function setLinks(tokens: readonly Token[], source: string): void {
  for (const token of tokens) {
    if (token.type === 'link_open') {
      const target = token.attrGet('href') ?? '';
      token.attrSet('href', hrefOnSite(source, target) ?? target);
    }
    if (token.children) setLinks(token.children, source);
  }
}

/** The site shows a page's sections beside it, so the list under **On this page** is left out. */
function withoutSections(tokens: readonly Token[]): Token[] {
  const heading = tokens.findIndex(
    ({ type, content }) => type === 'inline' && content === '**On this page**',
  );
  if (heading < 0) return [...tokens];
  const end = tokens.findIndex(
    ({ type, level }, index) => index > heading && type === 'bullet_list_close' && level === 0,
  );
  return [...tokens.slice(0, heading - 1), ...tokens.slice(end + 1)];
}
