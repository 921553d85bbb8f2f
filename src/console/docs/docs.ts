import './docs.css';
import '../data/theme.ts';
import { BASE_PATH } from '../data/place.ts';
import { nameControls } from './names.ts';
import { resolvesReferences } from './references.ts';

/** What the library gives its plugins. */
interface System {
  readonly React: { createElement(type: string, props: object | null, ...children: unknown[]): unknown };
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

SwaggerUIBundle({
  url: `${BASE_PATH}/openapi.json`,
  dom_id: '#swagger-ui',
  deepLinking: true,
  // Otherwise Swagger UI sends the document to a server on the internet.
  validatorUrl: null,
  syntaxHighlight: false,
  plugins: [pathsAreTexts, resolvesReferences],
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
