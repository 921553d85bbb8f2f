import { formatNumber } from '../data/format.ts';

const counted = (count: number, one: string, many: string) =>
  count === 1 ? `1 ${one}` : `${formatNumber(count)} ${many}`;

/** The texts of the undo of everything that a request has changed. */
export const undoRequestTexts = {
  button: 'Undo the whole request…',
  title: 'Undo the whole request',
  text: 'Everything that this request, import or command has changed is undone, newest first, all at once.',
  will: {
    created: (count: number) => `${counted(count, 'account comes', 'accounts come')} back.`,
    updated: (count: number) => `${counted(count, 'account is', 'accounts are')} changed back.`,
    deleted: (count: number) =>
      `${counted(count, 'account is', 'accounts are')} deleted. Their history stays.`,
  },
  nothing: 'None of its changes can be undone.',
  changes: (shown: number, all: number) =>
    shown < all ? `The first ${formatNumber(shown)} changes` : 'Each change',
  skipped: (count: number) => `${counted(count, 'change', 'changes')} cannot be undone:`,
  first: (count: number) => `The first ${formatNumber(count)} are shown.`,
  reasons: {
    account_in_use: 'tables of the app point at the account',
    changed_since: 'has changed since',
    email_taken: 'another account has the email',
    erased: 'the values were erased',
    invalid_input: 'the preferences are not allowed any more',
  } as Readonly<Record<string, string>>,
  partial: 'Undo the others all the same',
  run: (count: number) => `Undo ${counted(count, 'change', 'changes')}`,
  done: (count: number) => `${counted(count, 'change', 'changes')} undone.`,
} as const;
