/** How many transfers of accounts may run at once: as configured, or else half of the database connections. */
export function transfersAtOnce(configured: number | null, poolMax: number): number {
  return configured ?? Math.max(1, Math.floor(poolMax / 2));
}
