import type { AnyComponent } from 'preact';
import type { IconName } from './parts/icons.tsx';
import type { texts } from './texts.ts';
import { AccessView } from './views/access.tsx';
import { Account } from './views/account/account.tsx';
import { Accounts } from './views/accounts.tsx';
import { Activity } from './views/activity/activity.tsx';
import { MyAccount } from './views/me.tsx';
import { TurnedAway } from './views/turned-away.tsx';

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

const ME: View = { path: '/me', name: 'me', component: MyAccount };

/** The views of everybody. */
export const VIEWS: readonly View[] = [{ ...ME, paths: [''] }];

/** The views of admins. */
export const ADMIN_VIEWS: readonly View[] = [
  { path: '/accounts', paths: [''], name: 'accounts', component: Accounts },
  { path: '/accounts/:id', component: Account },
  { path: '/activity', name: 'activity', component: Activity },
  { path: '/turned-away', name: 'turnedAway', component: TurnedAway },
  { path: '/access', name: 'access', component: AccessView },
  ME,
];
