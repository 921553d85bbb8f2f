import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme-without-fonts';
import { h } from 'vue';
import './site.css';
import './home.css';
import narrow from './picture-narrow.svg?raw';
import wide from './picture-wide.svg?raw';

/** What Rollcall is between: beside each other where there is room, and below each other on a phone. In the page, to have its colours. */
const Picture = () => h('figure', { class: 'picture', innerHTML: wide + narrow });

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }) => void app.component('Picture', Picture),
} satisfies Theme;
