import { useEffect, useRef } from 'preact/hooks';
import { LocationProvider, Route, Router, useLocation } from 'preact-iso/router';
import { isOnline } from './data/api.ts';
import { viewUrl } from './data/place.ts';
import { isAdmin, isSignedIn, loadSession, session, sessionError } from './data/session.ts';
import { useTitle } from './data/title.ts';
import { LeaveDialogs } from './parts/leave.tsx';
import { isAt, Navigation } from './parts/navigation.tsx';
import { Palette } from './parts/palette.tsx';
import { ReasonDialogs } from './parts/reason.tsx';
import { LinkDialog, SignInDialog, SignInPage } from './parts/sign-in.tsx';
import { Failed, Forbidden, NotFound } from './parts/states.tsx';
import { Toasts } from './parts/toasts.tsx';
import { UndoDialogs } from './parts/undo.tsx';
import { UndoRequestDialogs } from './parts/undo-request.tsx';
import { texts } from './texts.ts';
import { CreateDialogs } from './views/accounts/create.tsx';
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
  if (session.value === undefined && sessionError.value !== undefined) {
    return (
      <main class="alone">
        <Failed error={sessionError.value} retry={loadSession} isPage />
      </main>
    );
  }
  if (!isSignedIn.value) return <SignInPage />;
  return (
    <>
      <Frame />
      <Palette />
      <CreateDialogs />
      <UndoDialogs />
      <UndoRequestDialogs />
      <ReasonDialogs />
      <LinkDialog />
      <LeaveDialogs />
      <SignInDialog />
    </>
  );
}

function Frame() {
  const views = isAdmin.value ? ADMIN_VIEWS : VIEWS;
  const { path: here } = useLocation();
  const main = useRef<HTMLElement>(null);
  const view = views.find((view) => isAt(here, view));
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
      <Navigation views={views} />
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
