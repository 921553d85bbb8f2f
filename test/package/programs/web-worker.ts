import { answer } from './story.ts';

self.onmessage = async ({ data: [url, init] }: MessageEvent<[string, RequestInit]>) => {
  const said = await answer(new Request(url, init)).catch((error: unknown) => Response.json(`${error}`));
  self.postMessage([said.status, await said.text()]);
};
