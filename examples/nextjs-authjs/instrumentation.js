/** Ends a start that could let nobody in: without the secret, Auth.js says so only when somebody signs in. */
export function register() {
  if (process.env.AUTH_SECRET) return;
  console.error('Set AUTH_SECRET to the one of Rollcall.');
  process.exit(1);
}
