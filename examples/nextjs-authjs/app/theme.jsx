'use client';

import { createClient } from 'rollcall/client';
import { RollcallProvider, usePreferences } from 'rollcall/react';

// No token: the browser sends the session of Auth.js along.
const client = createClient({ baseUrl: '/accounts' });

export default function Theme() {
  return (
    <RollcallProvider client={client}>
      <Choice />
    </RollcallProvider>
  );
}

/** A choice shows at once, and is saved a moment later. */
function Choice() {
  const [{ theme = 'light' }, update, { status }] = usePreferences();
  return (
    <p data-theme={theme}>
      <label>
        Theme{' '}
        <select value={theme} onChange={({ target }) => update({ theme: target.value })}>
          <option>light</option>
          <option>dark</option>
        </select>
      </label>{' '}
      <span role="status">{status}</span>
    </p>
  );
}
