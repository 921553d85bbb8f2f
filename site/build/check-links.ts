import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { type DefaultTreeAdapterMap, parse } from 'parse5';

type Node = DefaultTreeAdapterMap['node'];

/** The attributes with addresses, of any element. */
const ADDRESSES = ['href', 'src', 'srcset', 'poster'];

interface Page {
  /** The ids of its elements, which links lead to. */
  readonly ids: ReadonlySet<string>;
  readonly addresses: readonly string[];
}

/**
 * Checks a built site: every address in it leads to a file of it, and to a place on that page where it names one. What is on the web
 * is left alone, if it is a link.
 * @throws Error with all that lead nowhere, and with all that a browser would load from elsewhere.
 */
export function checkLinks(folder: string, base: string): void {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.html'),
  );
  const pages = new Map(names.map((name) => [name, readPage(join(folder, name))]));
  const faults = [...pages].flatMap(([name, { addresses }]) =>
    [...new Set(addresses)].flatMap((address) => {
      const fault = faultOf(address, name);
      return fault === undefined ? [] : [`${name}: ${address} ${fault}`];
    }),
  );
  if (faults.length > 0) throw new Error(`The site has dead links:\n${faults.join('\n')}`);

  function faultOf(address: string, from: string): string | undefined {
    const url = new URL(address, `http://site.invalid${posix.join(base, from)}`);
    if (url.host !== 'site.invalid' || url.protocol !== 'http:') return undefined;
    const path = decodeURI(url.pathname);
    if (!path.startsWith(base)) return `is not under ${base}`;
    const name = path.slice(base.length).replace(/^$|(?<=\/)$/, 'index.html');
    if (!existsSync(join(folder, name)) || statSync(join(folder, name)).isDirectory()) return 'is not there';
    const id = decodeURIComponent(url.hash.slice(1));
    if (id !== '' && !pages.get(name)?.ids.has(id)) return 'is no place on that page';
    return undefined;
  }
}

function readPage(path: string): Page {
  const ids = new Set<string>();
  const addresses: string[] = [];
  const visit = (node: Node) => {
    for (const { name, value } of 'attrs' in node ? node.attrs : []) {
      if (name === 'id') ids.add(value);
      if (ADDRESSES.includes(name) && value !== '') addresses.push(value);
    }
    if ('childNodes' in node) node.childNodes.forEach(visit);
  };
  visit(parse(readFileSync(path, 'utf8')));
  return { ids, addresses };
}
