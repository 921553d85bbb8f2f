import type { AnyComponent } from 'preact';
import { viewUrl } from './data/place.ts';
import type { IconName } from './parts/icons.tsx';
import { later } from './parts/later.tsx';
import type { texts } from './texts.ts';
import { Accounts } from './views/accounts.tsx';

/** What the address says to a view. */
export interface ViewProps {
  readonly id?: string;
}

/** A view of the console. */
export interface View {
  /** Its address, after `/console`. */
  readonly path: string;
  /** Further addresses, with parameters as `:name`. */
  readonly paths?: readonly string[];
  /** Its name in the navigation, where it is there. */
  readonly name?: IconName & keyof typeof texts.nav;
  readonly component: AnyComponent<ViewProps>;
  /** Loads its code, where that is not there from the beginning. */
  readonly load?: () => void;
}

const ME: View = {
  path: '/me',
  name: 'me',
  ...later(async () => (await import('./views/me.tsx')).MyAccount),
};

/** The views of everybody. */
export const VIEWS: readonly View[] = [{ ...ME, paths: [''] }];

/** The views of admins. */
export const ADMIN_VIEWS: readonly View[] = [
  {
    path: '/overview',
    paths: [''],
    name: 'overview',
    ...later(async () => (await import('./views/overview.tsx')).Overview),
  },
  { path: '/accounts', name: 'accounts', component: Accounts },
  {
    path: '/accounts/:id',
    ...later(async () => (await import('./views/account/account.tsx')).Account),
  },
  {
    path: '/activity',
    name: 'activity',
    ...later(async () => (await import('./views/activity/activity.tsx')).Activity),
  },
  {
    path: '/turned-away',
    name: 'turnedAway',
    ...later(async () => (await import('./views/turned-away.tsx')).TurnedAway),
  },
  {
    path: '/transfer',
    name: 'transfer',
    ...later(async () => (await import('./views/transfer.tsx')).Transfer),
  },
  {
    path: '/access',
    name: 'access',
    ...later(async () => (await import('./views/access.tsx')).AccessView),
  },
  ME,
];

/** The view at an address, as admins see it; `undefined` where there is none. */
export function viewAt(address: string): View | undefined {
  const rest = address.slice(viewUrl().length).replace(/\/$/, '');
  return ADMIN_VIEWS.find(({ path, paths = [] }) =>
    [path, ...paths].some((one) => new RegExp(`^${one.replace(':id', '\\d+')}$`).test(rest)),
  );
}

/** Loads the code of the view at an address before it is drawn. */
export function loadViewAt(address: string): void {
  viewAt(address)?.load?.();
}
