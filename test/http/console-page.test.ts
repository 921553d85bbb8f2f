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
  });

  /** What a browser accepts that opens a page. */
  const OPENS = { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

  it('answers browsers with itself where it has no page, and programs with the problem', async () => {
    const known = await app.call('/console/accounts', { headers: OPENS });
    const page = await known.text();
    for (const path of [
      '/console/elsewhere',
      '/console/accounts/abc',
      '/console/accounts/0',
      '/console/accounts/7/history',
      '/console//accounts',
      '/console/files',
      '/console/%',
    ]) {
      const answer = await app.call(path, { headers: OPENS });
      expect(answer.status, path).to.equal(404);
      expect(await answer.text(), path).to.equal(page);
      for (const name of ['content-type', 'content-security-policy', 'content-encoding', 'x-frame-options'])
        expect(answer.headers.get(name), `${path} ${name}`).to.equal(known.headers.get(name));
      expect(answer.headers.get('cache-control'), path).to.equal('no-store');
      expect(answer.headers.get('etag'), path).to.equal(null);
      expect(answer.headers.get('vary'), path).to.include('Accept,').and.to.include('Accept-Encoding');
      for (const Accept of ['*/*', 'application/json', 'application/json, text/html', 'image/png']) {
        const problem = await app.call(path, { headers: { Accept } });
        expect(problem.headers.get('vary'), path).to.include('Accept');
        await expectProblem(problem, 404, 'not_found');
      }
    }
    const head = await app.call('/console/elsewhere', { method: 'HEAD', headers: OPENS });
    expect(head.status).to.equal(404);
    expect(head.headers.get('content-type')).to.equal('text/html; charset=utf-8');
  });

  it('is no answer for a file that is missing, for what is not below it, and for what is no reading', async () => {
    for (const path of [
      '/console/files/nothing-ABCDEFGH.js',
      '/console/files/nothing.css?v=1',
      '/console/files/a/b',
      '/consoles',
      '/elsewhere',
      '/v1/elsewhere',
    ])
      await expectProblem(await app.call(path, { headers: OPENS }), 404, 'not_found');
    const write = await app.call('/console/elsewhere', { method: 'POST', headers: OPENS });
    expect(write.headers.get('content-type')).to.equal('application/problem+json');
  });
});
