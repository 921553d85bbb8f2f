import './styles/index.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { loadSession } from './data/session.ts';
import { loadViewAt } from './views.tsx';

loadSession();
loadViewAt(location.pathname);
// What was there before the script.
document.body.replaceChildren();
render(<App />, document.body);
