/** The texts of changing many accounts at once. */
export const bulk = {
  label: 'Selected accounts',
  acts: {
    suspend: 'Suspend',
    restore: 'Restore',
    promote: 'Make admin',
    demote: 'Make user',
    delete: 'Delete',
  },
  export: 'Export',
  titles: {
    suspend: (count: string) => `Suspend ${count}?`,
    restore: (count: string) => `Restore ${count}?`,
    promote: (count: string) => `Make ${count} admins?`,
    demote: (count: string) => `Take the admin role from ${count}?`,
    delete: (count: string) => `Delete ${count}?`,
  },
  accounts: (count: number, formatted: string) => `${formatted} ${count === 1 ? 'account' : 'accounts'}`,
  explained: {
    suspend: 'They are signed out at once, and cannot sign in until an admin restores them.',
    restore: 'They can sign in again.',
    promote: 'They can see and change everything here.',
    demote: 'They keep their own account.',
    delete: 'Their accounts are gone. The history keeps them, so this can be undone.',
  },
  preview: (change: string, same: string) => `${change} will change, ${same} are so already.`,
  missing: (count: string) => `${count} no longer exist.`,
  andMore: (count: string) => `and ${count} more`,
  done: (count: string) => `${count} changed`,
  tooMany: (most: string) => `At most ${most} at once.`,
  undo: 'Undo all',
  undone: (count: string) => `Undone: ${count}`,
} as const;
