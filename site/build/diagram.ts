import { renderMermaidSVG } from 'beautiful-mermaid';

/** A diagram as SVG, in the colours of the site (`.diagram` in its style sheet), which follow its theme. */
export function diagram(mermaid: string): string {
  const svg = renderMermaidSVG(mermaid)
    // Its style sheet names a font on the internet, and its colours; ours are in the site's style sheet.
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .replace(/ style="[^"]*"/, '');
  return `<figure class="diagram" v-pre>${svg}</figure>\n`;
}
