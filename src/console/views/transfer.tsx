import { transferTexts as texts } from '../texts/transfer.ts';
import { Export } from './transfer/export.tsx';
import { Import } from './transfer/import.tsx';

/** Accounts from files, and into files. */
export function Transfer() {
  return (
    <>
      <header>
        <h1>{texts.title}</h1>
      </header>
      <Import />
      <Export />
    </>
  );
}
