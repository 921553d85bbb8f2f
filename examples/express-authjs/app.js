import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExpressAuth } from '@auth/express';
import Credentials from '@auth/express/providers/credentials';
import express from 'express';
import { createRollcall } from 'rollcall/koa';

const { PORT = '3000', INITIAL_ADMINS = 'ada@example.com' } = process.env;
// Auth.js seals its sessions with it, and Rollcall opens them. Set AUTH_SECRET, or sessions end with this process.
const secret = process.env.AUTH_SECRET || randomBytes(48).toString('base64');
const origin = `http://127.0.0.1:${PORT}`;

// The accounts, under a path of this app, so that the browser sends its session there too.
const rollcall = await createRollcall({
  basePath: '/accounts',
  publicUrl: origin,
  auth: { secret },
  initialAdmins: INITIAL_ADMINS.split(','),
});

const app = express();
app.use('/accounts', rollcall.handler);

// Your sign-in. In place of this form, which believes everybody, take GitHub, Google or any other provider of Auth.js.
const form = Credentials({
  credentials: { email: { label: 'Email', type: 'email' } },
  authorize: ({ email }) => ({ id: email, email }),
});
// @auth/express takes the path behind /auth from the first group.
app.use(/^\/auth\/(.*)/, ExpressAuth({ secret, trustHost: true, providers: [form] }));

/** Puts the account of the session into `request.account`, or passes on what Rollcall refuses. */
async function account(request, response, next) {
  const answer = await fetch(`${origin}/accounts/v1/me`, {
    headers: { cookie: request.headers.cookie ?? '' },
  });
  const body = await answer.json();
  if (!answer.ok) return response.status(answer.status).send(`${body.code}: ${body.detail}`);
  request.account = body;
  next();
}

/** Lets only admins pass. */
function admin(request, response, next) {
  if (request.account.role === 'admin') next();
  else response.status(403).send('This page is for admins.');
}

app.get('/report', account, admin, (request, response) => {
  response.type('text/plain').send(`A report for ${request.account.email}\n`);
});

// The page, and the client that it imports.
app.use('/rollcall', express.static(dirname(fileURLToPath(import.meta.resolve('rollcall/client')))));
app.use(express.static('public'));

const server = app.listen(Number(PORT), '127.0.0.1', () => console.log(origin));

process.once('SIGTERM', async () => {
  server.close();
  await rollcall.close();
});
