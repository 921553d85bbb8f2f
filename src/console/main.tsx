import './styles/index.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { endEarly } from './data/early.ts';
import { isSignedIn, loadSession } from './data/session.ts';
import { loadViewAt } from './views.tsx';

const loading = loadSession();
loadViewAt(location.pathname);
// Until then, what came with the page stays.
if (isSignedIn.peek()) await painted();
else await loading;
document.body.replaceChildren();
render(<App />, document.body);
// What it leads to is drawn at once, and has taken the other answers by then.
loading.then(() => setTimeout(endEarly));

/** Waits until what came with the page is painted, which takes a browser less time than what the script draws. */
async function painted(): Promise<void> {
  const isPainted = performance.getEntriesByType('paint').length > 0;
  // A page in the background is not painted.
  if (isPainted || document.hidden) return;
  await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done));
}
