import { expect } from 'chai';
import { VIEW_NAMES } from '../../src/console/addresses.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { expectProblem } from '../support/problem.ts';

describe('the page of the console', () => {
  let app: TestApp;

  before(async () => {
    app = await startApp();
  });

  after(() => app.close());

  /** What the page at an address loads before any of its scripts runs, by the names of the files. */
  const scriptsOf = async (path: string) => {
    const page = await (await app.call(path)).text();
    expect(page).not.to.match(/<script(?![^>]* src=)|<style|style=|https?:|\son\w+=/);
    return [...page.matchAll(/rel="modulepreload" href="([^"]*)"/g)].map(([, url = '']) => url);
  };
  const nameOf = (url: string) => /files\/(.+)-[A-Z0-9]{8}\.js$/.exec(url)?.[1];

  it('asks for the script of its view together with the page’s own, which the browser keeps for good', async () => {
    const own = await scriptsOf('/console/accounts');
    expect(own).to.have.length(1);
    const { headers } = await app.call(own[0] ?? '');
    expect(headers.get('content-encoding')).to.equal('gzip');
    expect(headers.get('vary')).to.include('Accept-Encoding');
    const addresses: Record<string, string> = { '/console': 'overview', '/console/accounts/7': 'account' };
    for (const view of VIEW_NAMES) if (view !== 'accounts') addresses[`/console/${view}`] = view;
    for (const [path, name] of Object.entries(addresses)) {
      const scripts = await scriptsOf(path);
      expect(scripts, path).to.include.members(own);
      expect(scripts.map(nameOf), path).to.include(name);
      for (const url of scripts) {
        const script = await app.call(url);
        expect(script.status, url).to.equal(200);
        expect(script.headers.get('content-type')).to.equal('text/javascript; charset=utf-8');
        expect(script.headers.get('cache-control')).to.equal('public, max-age=31536000, immutable');
      }
    }
  });

  it('has the frame, and what runs before the first paint in front of the style sheet', async () => {
    const response = await app.call('/console');
    expect(response.headers.get('cache-control')).to.equal('no-cache');
    const page = await response.text();
    const [start, style] = [page.indexOf('/start.js?v='), page.indexOf('/console.css?v=')];
    expect(start).to.be.greaterThan(0);
    expect(style).to.be.greaterThan(start);
    expect(page).to.include('<main class="view">');
  });

  it('confirms itself and its files, however they were sent', async () => {
    const page = await (await app.call('/console')).text();
    const [, file = ''] = /src="([^"]*start\.js[^"]*)"/.exec(page) ?? [];
    for (const path of ['/console', '/console/accounts', file]) {
      for (const coding of ['gzip', 'identity']) {
        const headers = { 'Accept-Encoding': coding, 'Cache-Control': 'max-age=0' };
        const first = await app.call(path, { headers });
        const tag = first.headers.get('etag') ?? '';
        const second = await app.call(path, { headers: { ...headers, 'If-None-Match': tag } });
        expect(second.status, path).to.equal(304);
        expect(second.headers.get('etag')).to.equal(tag);
      }
    }
    const keptFor = async (url: string) => (await app.call(url)).headers.get('cache-control');
    expect(await keptFor(file)).to.include('immutable');
    // What a page of before the upgrade asks for is another file by now.
    for (const url of [file.replace(/\?.*/, ''), file.replace(/\?.*/, '?v=of-before')])
      expect(await keptFor(url), url).to.equal('no-cache');
    await expectProblem(await app.call('/console/files/nothing-ABCDEFGH.js'), 404, 'not_found');
    await expectProblem(await app.call('/console/elsewhere'), 404, 'not_found');
  });
});
