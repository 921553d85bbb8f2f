/** The welcome of a development start: the address, and how to make the first call. */
export function welcomeOf(address: string, email = 'EMAIL'): string {
  // Quotes, ampersands and back-ticks are legal in an address, and special in a shell.
  const admin = /^[\w.+@-]+$/.test(email) ? email : `'${email.replaceAll("'", `'\\''`)}'`;
  return `
Rollcall answers at   ${address}
A token for an admin  npm run --silent token -- ${admin}
Your first call       curl -H "Authorization: Bearer $(npm run --silent token -- ${admin})" ${address}/v1/me
`;
}
