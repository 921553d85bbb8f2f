/** The texts of the view of all changes. */
export const activityTexts = {
  title: 'Activity',
  filters: {
    actor: 'Author: email or name',
    action: 'Action',
    anyAction: 'Any action',
    field: 'Field or preference',
    from: 'From',
    to: 'To',
    account: (name: string) => `Account ${name}`,
    request: (id: string) => `Request ${id}`,
    remove: 'Remove this filter',
  },
  live: {
    on: 'Live',
    connecting: 'Connecting…',
    off: 'Not live. Trying again; new changes may be missing here.',
    paused: 'Paused',
    pause: 'Pause',
    resume: 'Resume',
    waiting: (count: number, text: string) => (count === 1 ? '1 new change' : `${text} new changes`),
    hidden: (count: number, text: string) =>
      count === 1
        ? '1 new change does not match the filters'
        : `${text} new changes do not match the filters`,
    arrived: (count: number, text: string) =>
      count === 1 ? '1 new change shown' : `${text} new changes shown`,
  },
  today: 'Today',
  yesterday: 'Yesterday',
  /** Between the author and the account. */
  verbs: { created: 'created', updated: 'changed', deleted: 'deleted' },
  ownAccount: 'their own account',
  undid: (id: number) => `Undo of change ${id}`,
  isUndone: 'Undone',
  byActor: 'Only changes by this author',
  change: (id: number) => `Change ${id}`,
  keys: {
    next: 'Next change',
    previous: 'Previous change',
    author: 'Only changes by its author',
    undo: 'Undo the change',
    pause: 'Pause or resume',
  },
  older: 'Show older changes',
  end: 'This is where the history begins.',
  empty: 'Nothing has happened yet',
  emptyText: 'Each change of an account appears here, with its author and what it was before.',
  noMatch: 'No change matches',
  noMatchText: 'Change the filters or clear them.',
} as const;
