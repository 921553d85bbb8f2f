import { randomUUID } from 'node:crypto';
import { open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '../../../config/settings.ts';
import { transfersAtOnce } from '../../services/transfer/at-once.ts';
import { attempt, type Finding, ok, warning } from './finding.ts';

const GIB = 1024 ** 3;

/** Checks that the folder of uploads can be written and has room for as many as may come at once. */
export function checkStorage({ transfers, database }: Settings): Promise<Finding[]> {
  const folder = tmpdir();
  return attempt(
    'uploads',
    async () => {
      await tryToWrite(folder);
      const { bavail, bsize } = await statfs(folder);
      const free = bavail * bsize;
      const atOnce = transfersAtOnce(transfers.atOnce, database.poolMax);
      const needed = atOnce * transfers.maxUploadBytes;
      const message = `${folder} has ${inGib(free)} free; ${atOnce} imports at once may take ${inGib(needed)}`;
      if (free >= needed) return [ok('uploads', message)];
      return [
        warning(
          'uploads',
          message,
          'Name a folder with more room in TMPDIR, or lower IMPORT_MAX_BYTES or TRANSFERS_MAX.',
        ),
      ];
    },
    'Imports are refused: name a folder that this account may write to in TMPDIR.',
  );
}

async function tryToWrite(folder: string): Promise<void> {
  const path = join(folder, `rollcall-doctor-${randomUUID()}`);
  const file = await open(path, 'wx', 0o600);
  await file.close();
  await rm(path);
}

function inGib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}
