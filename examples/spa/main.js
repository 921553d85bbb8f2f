/* global SETTINGS */
import { UserManager } from 'oidc-client-ts';
import { createClient, isProblem } from 'rollcall/client';
import { createPreferences } from 'rollcall/client/preferences';

const $ = (selector) => document.querySelector(selector);

// Your sign-in: any OpenID Connect provider that makes access tokens for Rollcall's audience.
const users = new UserManager({
  authority: SETTINGS.issuer,
  client_id: SETTINGS.clientId,
  redirect_uri: `${location.origin}/`,
  post_logout_redirect_uri: `${location.origin}/`,
  scope: 'openid email',
  resource: SETTINGS.audience,
});

// The client asks for a token before each request, and for another one where the service refuses it.
const client = createClient({
  baseUrl: SETTINGS.rollcallUrl,
  token: async (refused) => {
    const user = refused ? await users.signinSilent().catch(() => null) : await users.getUser();
    return user?.access_token;
  },
});

/** What the service refuses has a code for programs and a message for people. */
function say(error) {
  $('[role=status]').textContent = isProblem(error) ? `${error.code}: ${error.message}` : String(error);
}

$('#sign-in').onclick = () => users.signinRedirect().catch(say);
$('#sign-out').onclick = () => users.removeUser().then(() => location.reload());

try {
  if (new URLSearchParams(location.search).has('code')) {
    await users.signinCallback();
    history.replaceState(null, '', '/');
  }
  if (await users.getUser()) await showApp();
  else $('#sign-in').hidden = false;
} catch (error) {
  say(error);
  $('#sign-in').hidden = false;
}

async function showApp() {
  const me = await client.me.get();
  $('#who').textContent = `${me.email}, ${me.role}`;

  // A change of the preferences shows at once, and is saved a moment later.
  const preferences = createPreferences(client);
  const show = () => {
    const { value, status } = preferences.get();
    document.body.dataset.theme = value.theme ?? 'light';
    $('#theme').value = value.theme ?? 'light';
    $('#saved').textContent = status;
  };
  preferences.subscribe(show);
  await preferences.account.refresh();
  show();
  $('#theme').onchange = ({ target }) => preferences.update({ theme: target.value });

  if (me.role === 'admin') {
    // All pages, one after the other, as the loop goes on.
    for await (const { email, role } of client.users.list({ sort: 'email' })) {
      $('#admins ul').append(
        Object.assign(document.createElement('li'), { textContent: `${email}, ${role}` }),
      );
    }
    $('#admins').hidden = false;
  }
  $('#app').hidden = false;
}
