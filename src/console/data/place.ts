/** In front of every path of the service; empty: none. */
export const BASE_PATH = document.querySelector<HTMLMetaElement>('meta[name="base-path"]')?.content ?? '';

/** The address of a view. */
export function viewUrl(path = ''): string {
  return `${BASE_PATH}/console${path}`;
}

/** The address of the icon, whose name has a hash. */
export function iconUrl(): string {
  return document.querySelector<HTMLLinkElement>('link[rel="icon"]')?.href ?? '';
}
