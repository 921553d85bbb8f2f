/** The table of accounts, in any spelling that SQL allows. */
const USERS = String.raw`(?:only\s+)?(?:"?public"?\s*\.\s*)?"?users\b`;

/** The first argument of an EntityManager method that concerns accounts: the entity, its name, or a variable. */
const ENTITY = String.raw`\(\s*(?:User\b|['"\x60]User\b|[a-z])`;

const SQL = [
  String.raw`\b(?:insert|merge)\s+into\s+${USERS}`,
  String.raw`\bupdate\s+${USERS}`,
  String.raw`\bdelete\s+from\s+${USERS}`,
  String.raw`\btruncate\s+(?:table\s+)?${USERS}`,
  String.raw`\bcopy\s+${USERS}`,
].map((source) => new RegExp(source, 'gi'));

const CALLS = [
  String.raw`\.native(?:Insert|InsertMany|Update|UpdateMany|Delete)\s*(?:<[^>]*>)?${ENTITY}`,
  String.raw`\.(?:upsert|upsertMany|insert|insertMany)\s*(?:<[^>]*>)?${ENTITY}`,
  String.raw`\b(?:createQueryBuilder|qb)\s*\(\s*User\b[^)]*\)\s*\.\s*(?:insert|update|delete|truncate)\b`,
  String.raw`\.(?:insertInto|replaceInto|updateTable|deleteFrom|mergeInto)\s*\(\s*\[?\s*['"\x60](?:public\.)?users\b`,
].map((source) => new RegExp(source, 'g'));

/** The statements in a source text that write accounts outside the unit of work, where no flush records them. */
export function bulkStatements(source: string): string[] {
  return [...SQL, ...CALLS].flatMap((pattern) => source.match(pattern) ?? []);
}

/** Whether a source text writes to the history itself. */
export function recordsChanges(source: string): boolean {
  return /\b(?:recordAndErase|recordChanges|recordSql)\s*\(/.test(source);
}
