/** The folder beside a built program with {@link PAGE_FILES} in it. */
export const PAGE_FOLDER = 'swagger-ui';

/** The files of swagger-ui-dist that the page at `/docs` loads. */
export const PAGE_FILES = ['swagger-ui-bundle.js', 'swagger-ui.css'] as const;
