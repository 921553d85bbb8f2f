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
import { LinkDialog, LostPage, SignInDialog, SignInPage } from './parts/sign-in.tsx';
import { Failed, Forbidden, NoPage } from './parts/states.tsx';
import { Toasts } from './parts/toasts.tsx';
import { UndoDialogs } from './parts/undo.tsx';
import { UndoRequestDialogs } from './parts/undo-request.tsx';
import { texts } from './texts.ts';
import { CreateDialogs } from './views/accounts/create.tsx';
import { ADMIN_VIEWS, VIEWS, viewAt } from './views.tsx';

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
  const { path: here } = useLocation();
  if (session.value === undefined && sessionError.value !== undefined) {
    return (
      <main class="alone">
        <Failed error={sessionError.value} retry={loadSession} isPage />
      </main>
    );
  }
  if (!isSignedIn.value) return viewAt(here) ? <SignInPage /> : <LostPage />;
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
  const isPage = viewAt(here) !== undefined;
  const view = views.find((view) => isAt(here, view));
  useTitle(isPage ? view?.name && texts.nav[view.name] : texts.states.noPage);
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
        {isPage ? (
          <Router>
            {views.flatMap(({ path, paths = [], component }) =>
              [path, ...paths].map((one) => <Route key={one} path={viewUrl(one)} component={component} />),
            )}
            {/* A view of admins. */}
            <Route default component={Forbidden} />
          </Router>
        ) : (
          <NoPage />
        )}
      </main>
    </div>
  );
}
