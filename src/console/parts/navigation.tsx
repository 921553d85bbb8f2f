import { useSignal } from '@preact/signals';
import { useLocation } from 'preact-iso/router';
import { keyNames } from '../data/keys.ts';
import { iconUrl, viewUrl } from '../data/place.ts';
import { me, signOut } from '../data/session.ts';
import { THEMES, type Theme, theme } from '../data/theme.ts';
import { texts } from '../texts.ts';
import type { View } from '../views.tsx';
import { Dialog } from './dialog.tsx';
import { Icon } from './icons.tsx';
import { openPalette, PALETTE_KEY } from './palette.tsx';
import { sayFault } from './toasts.tsx';

/** How many views a phone has in its bar, beside the button with the others: `styles/layout.css` hides those. */
const IN_BAR = 4;

/** A view that has a name. */
type NamedView = View & Required<Pick<View, 'name'>>;

/** Whether an address shows a view or one of its items. */
export function isAt(here: string, { path, paths }: View): boolean {
  const url = viewUrl(path);
  const isStart = paths?.includes('') === true && here.replace(/\/$/, '') === viewUrl();
  return isStart || here === url || here.startsWith(`${url}/`);
}

/** The ways to the views and who is signed in: beside the view, or a bar under it on a phone. */
export function Navigation({ views }: { views: readonly View[] }) {
  const { path: here } = useLocation();
  const isOpen = useSignal(false);
  const named = views.filter((view): view is NamedView => view.name !== undefined);
  const others = named.slice(IN_BAR);
  const close = () => {
    isOpen.value = false;
  };
  return (
    <header class="side">
      <a class="brand" href={viewUrl()}>
        <img src={iconUrl()} alt="" />
        {texts.product}
      </a>
      <PaletteButton />
      <nav class="nav" aria-label={texts.nav.label}>
        {named.map((view) => (
          <NavLink key={view.path} view={view} />
        ))}
        <button
          type="button"
          class={others.some((view) => isAt(here, view)) ? 'here' : ''}
          aria-haspopup="dialog"
          onClick={() => {
            isOpen.value = true;
          }}
        >
          <Icon name="more" />
          <span>{texts.nav.more}</span>
        </button>
      </nav>
      <Me />
      {isOpen.value && (
        <Dialog title={texts.nav.more} onClose={close} isSheet>
          <div class="body">
            <PaletteButton onOpen={close} />
            {others.length > 0 && (
              <nav class="nav" aria-label={texts.nav.others}>
                {others.map((view) => (
                  <NavLink key={view.path} view={view} onFollow={close} />
                ))}
              </nav>
            )}
            <Me />
          </div>
        </Dialog>
      )}
    </header>
  );
}

function NavLink({ view, onFollow }: { view: NamedView; onFollow?: () => void }) {
  const { path: here } = useLocation();
  return (
    <a
      href={viewUrl(view.path)}
      {...(isAt(here, view) && { 'aria-current': 'page' })}
      {...(onFollow && { onClick: onFollow })}
      onPointerEnter={view.load}
      onFocus={view.load}
    >
      <Icon name={view.name} />
      <span>{texts.nav[view.name]}</span>
    </a>
  );
}

/** The palette, for those who do not know its key, or have none. */
function PaletteButton({ onOpen }: { onOpen?: () => void }) {
  return (
    <button
      type="button"
      class="button search-all"
      onClick={() => {
        onOpen?.();
        openPalette();
      }}
    >
      <Icon name="search" />
      {texts.keys.button}
      <kbd>{keyNames(PALETTE_KEY).join(' ')}</kbd>
    </button>
  );
}

/** Who is signed in, the theme, and the way out. */
function Me() {
  const email = me.value?.email;
  return (
    <div class="me">
      <p>
        <span class="unseen">{texts.session.signedIn} </span>
        <bdi title={email}>{email ?? <span class="bone" />}</bdi>
      </p>
      <label class="theme">
        <Icon name="theme" />
        {texts.session.theme}
        <select
          class="input"
          value={theme.value}
          onChange={({ currentTarget }) => {
            theme.value = currentTarget.value as Theme;
          }}
        >
          {THEMES.map((name) => (
            <option key={name} value={name}>
              {texts.session.themes[name]}
            </option>
          ))}
        </select>
      </label>
      <button type="button" class="button plain" onClick={() => signOut().catch(sayFault)}>
        <Icon name="out" />
        {texts.session.signOut}
      </button>
    </div>
  );
}
