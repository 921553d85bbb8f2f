import type { ImportFailure, ImportReport } from '../../domain/import-report.ts';

/** The report with as many of its failures, from the first one, as leave it at most so many bytes of JSON. Its counts stay. */
export function reportWithin(report: ImportReport, maxBytes: number): ImportReport {
  const failures: ImportFailure[] = [];
  let bytes = bytesOf({ ...report, failures });
  for (const failure of report.failures) {
    // With the comma.
    bytes += bytesOf(failure) + 1;
    if (bytes > maxBytes) break;
    failures.push(failure);
  }
  return { ...report, failures };
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
