import './styles/index.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { loadSession } from './data/session.ts';

loadSession();
render(<App />, document.body);
