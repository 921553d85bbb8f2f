/**
 * A report with as many items of one of its lists, from the first one, as leave it at most so many bytes of JSON. Its counts and
 * other lists stay.
 */
export function reportWithin<
  Name extends string,
  Report extends { readonly [Key in Name]: readonly unknown[] },
>(report: Report, list: Name, maxBytes: number): Report {
  const items: unknown[] = [];
  let bytes = bytesOf({ ...report, [list]: items });
  for (const item of report[list]) {
    // With the comma.
    bytes += bytesOf(item) + 1;
    if (bytes > maxBytes) break;
    items.push(item);
  }
  return { ...report, [list]: items };
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
