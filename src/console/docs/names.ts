/** The parts of the page beside the operations, which are its main part. */
const LANDMARKS = [
  ['.information-container', 'region', 'About the API'],
  ['.scheme-container', 'region', 'Server and authorization'],
  ['.modal-ux', 'dialog', 'Authorization'],
] as const;

/** Gives names to what the library leaves without one, for those who hear the page. */
export function nameControls(page: ParentNode): void {
  for (const control of page.querySelectorAll(
    'select:not([aria-label]), textarea:not([aria-label]), input:not([aria-label], [id])',
  )) {
    control.setAttribute('aria-label', nameOf(control));
  }
  for (const button of page.querySelectorAll('.close-modal:not([aria-label])')) {
    button.setAttribute('aria-label', 'Close');
  }
  // Its name would hide the words that it shows.
  for (const button of page.querySelectorAll('.auth-btn-wrapper [aria-label]'))
    button.removeAttribute('aria-label');
  for (const table of page.querySelectorAll('table[role="region"]:not([aria-label])')) {
    const operation = table.closest('.opblock')?.querySelector('.opblock-summary-path')?.textContent;
    table.setAttribute('aria-label', `Responses of ${operation}`);
  }
  for (const [selector, role, label] of LANDMARKS) {
    for (const part of page.querySelectorAll(`${selector}:not([role])`)) {
      part.setAttribute('role', role);
      part.setAttribute('aria-label', label);
    }
  }
  // The title is the only heading above them.
  for (const heading of page.querySelectorAll(':is(h3, h4, h5):not([aria-level])')) {
    heading.setAttribute('aria-level', `${Number(heading.tagName.slice(1)) - 1}`);
  }
}

/** By the parameter that it is for, or by what stands in front of it. */
function nameOf(control: Element): string {
  const parameter = control.closest('tr[data-param-name]')?.getAttribute('data-param-name');
  if (parameter) return parameter;
  if (control.id === 'servers') return 'Server';
  if (control.matches('.body-param__text')) return 'Request body';
  return control.matches('.examples-select-element') ? 'Example' : 'Media type';
}
