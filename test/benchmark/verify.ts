import { spawnSync } from 'node:child_process';

/** Replays the history of every account in a database: it must give the accounts. Throws where it does not. */
export function verify(url: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/accounts.js', 'verify'], {
    env: { ...process.env, ENVIRONMENT: 'test', DATABASE_URL: url },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`The history does not give the accounts:\n${stdout}${stderr}`);
  return stdout.trim();
}
