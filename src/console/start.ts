import { REMEMBERED } from './data/remembered.ts';

// Runs before the first paint, which does not wait for the page's script: the theme, and the frame for those who were signed in.
const { dataset } = document.documentElement;
const theme = localStorage.getItem(REMEMBERED.theme);
if (theme !== null) dataset['theme'] = theme;
if (localStorage.getItem(REMEMBERED.role) !== null) dataset['frame'] = '';
