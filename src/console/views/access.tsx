import { accessTexts as texts } from '../texts/access.ts';
import { Sessions } from './access/sessions.tsx';
import { Tokens } from './access/tokens.tsx';
import { Webhooks } from './access/webhooks.tsx';

/** What reaches the service, and what it reaches: service tokens, webhooks, the sessions of the console. */
export function AccessView() {
  return (
    <>
      <header>
        <h1>{texts.title}</h1>
      </header>
      <Tokens />
      <Webhooks />
      <Sessions />
    </>
  );
}
