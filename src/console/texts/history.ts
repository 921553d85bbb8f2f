/** The texts about changes: before and after, undo. */
export const history = {
  from: 'from',
  to: 'to',
  notSet: 'not set',
  allValues: (count: string) => `Show all ${count} values`,
  noValues: 'No values.',
  longValue: 'Show all of it',
  undo: 'Undo',
  undoTitle: 'Undo this change',
  restoreTitle: 'Restore this account',
  undone: 'The change is undone.',
  restored: 'The account is restored.',
  preview: {
    created: 'Undoing the creation deletes the account. Its history stays.',
    updated: 'This is what will change:',
    deleted: 'The account comes back with its id and all it had:',
  },
  of: (action: string, actor: string) => `${action} by ${actor}`,
  changedSince: 'This cannot be undone as it is, because these values have changed since:',
  later: 'Later changes, oldest first',
  undoLater: 'Undo the later changes first, newest first.',
  erased: 'The values of this change were erased. Nobody can bring them back.',
} as const;
