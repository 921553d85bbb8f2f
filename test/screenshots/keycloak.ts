import { join } from 'node:path';
import { openGuidedRealm } from '../support/keycloak-realm.ts';

/** Takes the pictures of Keycloak in `docs/keycloak.md`, while it does what that page says: `npm run screenshots:keycloak`. */
const FOLDER = join(import.meta.dirname, '../../docs/screenshots');

await openGuidedRealm('main', async (page, name) => {
  // Without the notice above it, about an account of this run.
  await page.screenshot({
    path: join(FOLDER, `keycloak-${name}.png`),
    clip: { x: 0, y: 28, width: 1280, height: 772 },
  });
  console.log(`keycloak-${name}.png`);
});
process.exit();
