import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { answer } from './story.ts';

createServer(async (incoming, response) => {
  const { method = 'GET', url, headers } = incoming;
  const body = method === 'GET' ? null : await buffer(incoming);
  const request = new Request(`http://127.0.0.1${url}`, { method, headers: headers as HeadersInit, body });
  const said = await answer(request).catch((error: unknown) => new Response(`${error}`, { status: 500 }));
  response.writeHead(said.status).end(await said.text());
}).listen(Number(process.argv[2]), '127.0.0.1');
