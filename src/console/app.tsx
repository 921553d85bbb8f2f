import { useEffect, useRef } from 'preact/hooks';
import { LocationProvider, Route, Router, useLocation } from 'preact-iso/router';
import { isOnline } from './data/api.ts';
import { iconUrl, viewUrl } from './data/place.ts';
import { isAdmin, loadSession, me, session, sessionError, signOut } from './data/session.ts';
import { THEMES, type Theme, theme } from './data/theme.ts';
import { useTitle } from './data/title.ts';
import { Icon, type IconName } from './parts/icons.tsx';
import { Palette } from './parts/palette.tsx';
import { ReasonDialogs } from './parts/reason.tsx';
import { SignInDialog, SignInPage } from './parts/sign-in.tsx';
import { Bones, Failed, Forbidden, NotFound } from './parts/states.tsx';
import { sayFault, Toasts } from './parts/toasts.tsx';
import { UndoDialogs } from './parts/undo.tsx';
import { texts } from './texts.ts';
import { ADMIN_VIEWS, VIEWS } from './views.tsx';

/** The whole page. */
export function App() {
  return (
    <LocationProvider scope={new RegExp(`^${viewUrl().replace(/[^\w/]/g, '\\$&')}(/|$)`)}>
      <Content />
      <Toasts />
    </LocationProvider>
  );
}

function Content() {
  if (session.value === undefined) {
    return (
      <main class="alone">
        {sessionError.value === undefined ? (
          <div class="box">
            <Bones />
          </div>
        ) : (
          <Failed error={sessionError.value} retry={loadSession} isPage />
        )}
      </main>
    );
  }
  if (me.value === undefined) return <SignInPage />;
  return (
    <>
      <Frame />
      <Palette />
      <UndoDialogs />
      <ReasonDialogs />
      <SignInDialog />
    </>
  );
}

function Frame() {
  const views = isAdmin.value ? ADMIN_VIEWS : VIEWS;
  const { path: here } = useLocation();
  const main = useRef<HTMLElement>(null);
  const view = views.find(({ path, paths }) => isAt(here, path, paths?.includes('')));
  useTitle(view?.name && texts.nav[view.name]);
  const before = useRef(here);
  // The link that led here may be gone: those who use the keyboard go on in the view.
  useEffect(() => {
    if (before.current !== here && document.activeElement === document.body) {
      main.current?.focus({ preventScroll: true });
    }
    before.current = here;
  }, [here]);
  return (
    <div class="frame">
      <a class="button primary skip" href="#view">
        {texts.skip}
      </a>
      {!isOnline.value && (
        <p class="offline" role="status">
          {texts.offline}
        </p>
      )}
      <header class="side">
        <a class="brand" href={viewUrl()}>
          <img src={iconUrl()} alt="" />
          {texts.product}
        </a>
        <nav class="nav" aria-label={texts.nav.label}>
          {views
            .filter(({ name }) => name !== undefined)
            .map(({ path, paths, name }) => (
              <NavLink
                key={path}
                path={path}
                isStart={paths?.includes('')}
                name={name as IconName & keyof typeof texts.nav}
              />
            ))}
        </nav>
        <Me />
      </header>
      <main ref={main} class="view" id="view" tabIndex={-1}>
        <Router>
          {views.flatMap(({ path, paths = [], component }) =>
            [path, ...paths].map((one) => <Route key={one} path={viewUrl(one)} component={component} />),
          )}
          <Route default component={isAdmin.value ? NotFound : NotForThem} />
        </Router>
      </main>
    </div>
  );
}

/** What others see at an address: a view of admins is said to be one. */
function NotForThem() {
  const { path } = useLocation();
  const isAdmins = ADMIN_VIEWS.some((view) => view.path !== '' && path.startsWith(viewUrl(view.path)));
  return isAdmins ? <Forbidden /> : <NotFound />;
}

/** Whether an address shows a view or one of its items; `isStart`: whether the console's own address shows it. */
function isAt(here: string, path: string, isStart = false): boolean {
  const url = viewUrl(path);
  return here === url || here.startsWith(`${url}/`) || (isStart && here.replace(/\/$/, '') === viewUrl());
}

function NavLink({
  path,
  isStart = false,
  name,
}: {
  path: string;
  /** Whether the console's own address shows it. */
  isStart?: boolean | undefined;
  name: IconName & keyof typeof texts.nav;
}) {
  const { path: here } = useLocation();
  const url = viewUrl(path);
  const isHere = isAt(here, path, isStart);
  return (
    <a href={url} {...(isHere && { 'aria-current': 'page' })}>
      <Icon name={name} />
      {texts.nav[name]}
    </a>
  );
}

function Me() {
  return (
    <div class="me">
      <bdi title={me.value?.email}>{me.value?.email}</bdi>
      <label class="row">
        <span class="unseen">{texts.session.theme}</span>
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
      <button type="button" class="button" onClick={() => signOut().catch(sayFault)}>
        {texts.session.signOut}
      </button>
    </div>
  );
}
