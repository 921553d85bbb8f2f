/** The welcome of a development start: the address, and how to make the first call, with a token of ours if `canSign`. */
export function welcomeOf(
  address: string,
  { email = 'EMAIL', canSign }: { email?: string; canSign: boolean },
): string {
  if (!canSign) {
    return `
Rollcall answers at   ${address}
Your first call       curl -H "Authorization: Bearer TOKEN" ${address}/v1/me, with a token of your issuer
`;
  }
  // Quotes, ampersands and back-ticks are legal in an address, and special in a shell.
  const admin = /^[\w.+@-]+$/.test(email) ? email : `'${email.replaceAll("'", `'\\''`)}'`;
  return `
Rollcall answers at   ${address}
A token for an admin  npm run --silent token -- ${admin}
Your first call       curl -H "Authorization: Bearer $(npm run --silent token -- ${admin})" ${address}/v1/me
`;
}
