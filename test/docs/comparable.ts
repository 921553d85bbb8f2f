/** What two runs of the same commands cannot have in common, and what stands for it in a comparison. */
const DIFFERENCES: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g, '<time>'],
  // Before an account's first request is noted, and after.
  [/(?<="lastSeenAt": ?)(?:null|"<time>")/g, '<time>'],
  [/(?<=^\[)\d\d:\d\d:\d\d(?=\])/gm, '<time>'],
  [/(?<=^date: ).*/gim, '<time>'],
  [/(?<=^webhook-timestamp: )\d+/gim, '<time>'],
  [/\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b/g, '<uuid>'],
  // The transaction's number in a position of the feed; that of the change stays.
  [/(?<=^id: |cursor": ?")\d+(?=-\d)/gim, '<transaction>'],
  // When the position was read.
  [/(?<=<transaction>-\d+)-[\da-f]{12}-\d+/g, '-<epoch>-<lsn>'],
  [/(?<=^webhook-id: change_\d+_)[\da-f]{16}/gm, '<digest>'],
  [/(?<=cursor": ?")[\w-]{24,}/gi, '<cursor>'],
  [/\brc_[\w-]{24,}/g, '<service token>'],
  [/\beyJ[\w-]+(?:\.[\w-]*)+/g, '<token>'],
  [/\bv1,[\w+/]+=*/g, '<signature>'],
  [/(?<=^retry: )\d+/gm, '<pause>'],
  [/(?<="(?:requests|failures)";)r=\d+;t=\d+/g, '<standing>'],
  [/(?<=^retry-after: )\d+/gim, '<seconds>'],
  [/(?<="(?:bootMs|ms|retryInMs|port)":)\d+/g, '<number>'],
];

/** An output with a name in place of each value that differs from run to run. Everything else is compared as it is. */
export function comparable(output: string): string {
  return DIFFERENCES.reduce((text, [pattern, name]) => text.replace(pattern, name), output);
}
