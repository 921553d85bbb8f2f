import { answer } from './story.ts';

export default { fetch: answer };
