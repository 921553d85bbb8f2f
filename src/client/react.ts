import {
  type Context,
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useState,
  useSyncExternalStore,
} from 'react';
import { type AccountOptions, type AccountState, AccountStore } from './account.ts';
import type { Client } from './client.ts';
import { type PreferencesOptions, type PreferencesState, PreferencesStore } from './preferences.ts';

interface Stores {
  readonly account: AccountStore;
  readonly preferences: PreferencesStore;
}

const StoresContext: Context<Stores | undefined> = createContext<Stores | undefined>(undefined);

/** What the provider is given. */
export interface RollcallProviderProps {
  readonly client: Client;
  readonly account?: AccountOptions;
  readonly preferences?: Omit<PreferencesOptions, 'account'>;
  readonly children?: ReactNode;
}

/** Gives the hooks below it a client. Give it a `key` for each person that signs in. */
export function RollcallProvider(props: RollcallProviderProps): ReactElement {
  const [stores] = useState(() => {
    const account = new AccountStore(props.client, props.account);
    return { account, preferences: new PreferencesStore(props.client, { ...props.preferences, account }) };
  });
  return createElement(StoresContext.Provider, { value: stores }, props.children);
}

function useStores(): Stores {
  const stores = useContext(StoresContext);
  if (!stores) throw new Error('Put a <RollcallProvider> around what uses this hook.');
  return stores;
}

/** One's own account, kept up to date while it is shown; `update` and `refresh` throw what the client throws. */
export function useAccount(): AccountState & Pick<AccountStore, 'update' | 'refresh'> {
  const { account } = useStores();
  const state = useSyncExternalStore(account.subscribe, account.get, account.first);
  const [acts] = useState(() => ({
    update: account.update.bind(account),
    refresh: account.refresh.bind(account),
  }));
  return { ...state, ...acts };
}

/** The preferences of one's own account, and how to change them: changes show at once. */
export function usePreferences<Preferences extends object = Record<string, unknown>>(): [
  Preferences,
  PreferencesStore<Preferences>['update'],
  Pick<PreferencesState<Preferences>, 'status' | 'error'> &
    Pick<PreferencesStore<Preferences>, 'flush' | 'forget'>,
] {
  const preferences = useStores().preferences as unknown as PreferencesStore<Preferences>;
  const { value, status, error } = useSyncExternalStore(
    preferences.subscribe,
    preferences.get,
    preferences.first,
  );
  const [acts] = useState(() => ({
    update: preferences.update.bind(preferences),
    flush: preferences.flush.bind(preferences),
    forget: preferences.forget.bind(preferences),
  }));
  return [value, acts.update, { status, error, flush: acts.flush, forget: acts.forget }];
}
