import type { AnyComponent } from 'preact';
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
}

const ME: View = {
  path: '/me',
  name: 'me',
  component: later(async () => (await import('./views/me.tsx')).MyAccount),
};

/** The views of everybody. */
export const VIEWS: readonly View[] = [{ ...ME, paths: [''] }];

/** The views of admins. */
export const ADMIN_VIEWS: readonly View[] = [
  {
    path: '/overview',
    paths: [''],
    name: 'overview',
    component: later(async () => (await import('./views/overview.tsx')).Overview),
  },
  { path: '/accounts', name: 'accounts', component: Accounts },
  {
    path: '/accounts/:id',
    component: later(async () => (await import('./views/account/account.tsx')).Account),
  },
  {
    path: '/activity',
    name: 'activity',
    component: later(async () => (await import('./views/activity/activity.tsx')).Activity),
  },
  {
    path: '/turned-away',
    name: 'turnedAway',
    component: later(async () => (await import('./views/turned-away.tsx')).TurnedAway),
  },
  {
    path: '/transfer',
    name: 'transfer',
    component: later(async () => (await import('./views/transfer.tsx')).Transfer),
  },
  {
    path: '/access',
    name: 'access',
    component: later(async () => (await import('./views/access.tsx')).AccessView),
  },
  ME,
];
