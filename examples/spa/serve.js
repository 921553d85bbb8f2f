import { context } from 'esbuild';

const {
  PORT = '3000',
  ROLLCALL_URL = 'http://127.0.0.1:8000',
  ISSUER,
  CLIENT_ID = 'spa',
  AUDIENCE = 'https://accounts.example.com',
} = process.env;
if (!ISSUER) {
  console.error('Set ISSUER to your OpenID Connect provider, such as https://id.example.com.');
  process.exit(1);
}

const settings = { rollcallUrl: ROLLCALL_URL, issuer: ISSUER, clientId: CLIENT_ID, audience: AUDIENCE };
const app = await context({
  entryPoints: ['main.js'],
  bundle: true,
  format: 'esm',
  outdir: 'public',
  define: { SETTINGS: JSON.stringify(settings) },
});
const { port } = await app.serve({ servedir: 'public', host: '127.0.0.1', port: Number(PORT) });
console.log(`http://127.0.0.1:${port}`);
