/** The folder beside a built program with {@link PAGE_FILES} in it. */
export const PAGE_FOLDER = 'swagger-ui';

/** The files of swagger-ui-dist that the page at `/docs` loads. */
export const PAGE_FILES = [
  'favicon-32x32.png',
  'index.css',
  'swagger-ui-bundle.js',
  'swagger-ui.css',
] as const;
