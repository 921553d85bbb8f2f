import { makeCode } from '../services/access/console-codes.ts';
import type { UnitOfWork } from '../store/unit.ts';
import { consoleLink } from './console-link.ts';

/**
 * How long the link of the welcome can be used, in seconds: longer than other links, because whoever starts the service reads on first.
 * It is printed in development alone, where the same terminal can sign tokens for anybody.
 */
const LINK_SECONDS = 600;

/** A link that signs an admin in to the console at `address`, once; `undefined` where that account cannot sign in. */
export async function welcomeLink(
  inUnit: UnitOfWork,
  address: string,
  email: string | undefined,
): Promise<string | undefined> {
  if (email === undefined) return undefined;
  const made = await inUnit((unit) => makeCode(unit, email, LINK_SECONDS)).catch(() => undefined);
  return made && consoleLink(address, made.code);
}

/**
 * The welcome of a development start: the address, how to make the first call, with a token of ours if `canSign`, and a `link` that signs
 * an admin in to the console, if there is one.
 */
export function welcomeOf(
  address: string,
  {
    email = 'EMAIL',
    canSign,
    link,
    tokenFor = (admin) => `npm run --silent token -- ${admin}`,
  }: {
    email?: string;
    canSign: boolean;
    link?: string | undefined;
    /** The command that prints a token. */
    tokenFor?: (email: string) => string;
  },
): string {
  const console = link === undefined ? '' : `The console           ${link}\n`;
  if (!canSign) {
    return `
Rollcall answers at   ${address}
Your first call       curl -H "Authorization: Bearer TOKEN" ${address}/v1/me, with a token of your issuer
${console}`;
  }
  // Quotes, ampersands and back-ticks are legal in an address, and special in a shell.
  const admin = /^[\w.+@-]+$/.test(email) ? email : `'${email.replaceAll("'", `'\\''`)}'`;
  return `
Rollcall answers at   ${address}
A token for an admin  ${tokenFor(admin)}
Your first call       curl -H "Authorization: Bearer $(${tokenFor(admin)})" ${address}/v1/me
${console}`;
}
