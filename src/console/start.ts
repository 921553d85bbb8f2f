import { queryOf } from '../client/send.ts';
import { askEarly } from './data/early.ts';
import { viewUrl } from './data/place.ts';
import { REMEMBERED } from './data/remembered.ts';
import { filtersOf, PAGE } from './views/accounts/types.ts';

// Runs before the first paint, which does not wait for the page's script: the theme, and the frame for those who were signed in.
const { dataset } = document.documentElement;
const theme = localStorage.getItem(REMEMBERED.theme);
if (theme !== null) dataset['theme'] = theme;
const role = localStorage.getItem(REMEMBERED.role);
if (role !== null) dataset['frame'] = '';

// While the browser loads the script, the service looks up who is signed in, and the first accounts of the list.
const asksForList = location.pathname === viewUrl('/accounts');
const askForList = () => {
  const filters = filtersOf(Object.fromEntries(new URLSearchParams(location.search)));
  askEarly(`/v1/users${queryOf({ ...filters, limit: `${PAGE}` })}`);
};
askEarly('/v1/session', async (answer) => {
  if (!asksForList || role !== null) return;
  const { account } = await answer.json();
  if (account?.role === 'admin' && account.status === 'active') askForList();
});
if (asksForList && role === 'admin') askForList();
// The first of these takes browsers some ten milliseconds: after the first paint, they wait for the script.
requestAnimationFrame(() =>
  setTimeout(() => new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }).format()),
);
