import { changeableFields } from '../../services/accounts/fields.ts';
import { moment } from './change.ts';
import { searchText } from './page.ts';

/** The query parameters that choose accounts: those that match all that are given. */
export const accountFilters = changeableFields.pick({ role: true, status: true, storageMode: true }).extend({
  email: searchText.optional().meta({ description: 'The whole email, in any case.' }),
  domain: searchText.optional().meta({ description: 'The domain of the email, in any case.' }),
  createdSince: moment.optional().meta({ description: 'Created at this time or later.' }),
  createdBefore: moment.optional().meta({ description: 'Created before this time.' }),
  seenSince: moment.optional().meta({ description: 'Last seen at this time or later.' }),
  seenBefore: moment.optional().meta({ description: 'Last seen before this time, or never.' }),
  q: searchText.optional().meta({ description: 'A part of the email or the name, in any case.' }),
}).shape;
