import './docs.css';
import '../data/theme.ts';
import { BASE_PATH } from '../data/place.ts';
import { nameControls } from './names.ts';
import { resolvesReferences } from './references.ts';

/** What the library gives its plugins. */
interface System {
  readonly React: { createElement(type: unknown, props: object | null, ...children: unknown[]): unknown };
}

/** Swagger UI, from a script of its own. */
declare const SwaggerUIBundle: (options: Readonly<Record<string, unknown>>) => void;

/** A path is a text: the library makes a link of it, in a button that does the same. */
const pathsAreTexts = () => ({
  wrapComponents: {
    DeepLink:
      (_original: unknown, { React }: System) =>
      ({ text }: { text: unknown }) =>
        React.createElement('span', null, text),
  },
});

/** Text without markup but code. */
const PLAIN = /^[A-Z](?:[^`*_[\]<>&\\\n~|]|`[^`\n]+`)*$/;

/** Shows plain text as the library does, which would parse each as a document, and clean that: an operation has a hundred of them. */
const plainTextsAreQuick = () => ({
  wrapComponents: {
    Markdown:
      (original: unknown, { React }: System) =>
      (props: { readonly source?: unknown; readonly className?: string }) => {
        const { source, className = '' } = props;
        if (typeof source !== 'string' || !PLAIN.test(source)) return React.createElement(original, props);
        const parts = source
          .split('`')
          .map((part, at) => (at % 2 === 0 ? part : React.createElement('code', null, part)));
        return React.createElement(
          'div',
          { className: `${className} renderedMarkdown` },
          React.createElement('p', null, ...parts),
        );
      },
  },
});

SwaggerUIBundle({
  url: `${BASE_PATH}/openapi.json`,
  dom_id: '#swagger-ui',
  deepLinking: true,
  // Otherwise Swagger UI sends the document to a server on the internet.
  validatorUrl: null,
  syntaxHighlight: false,
  plugins: [pathsAreTexts, plainTextsAreQuick, resolvesReferences],
});

let isDue = false;
new MutationObserver(() => {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    nameControls(document);
  });
}).observe(document.body, { childList: true, subtree: true });
