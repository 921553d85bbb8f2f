import { useSignal } from '@preact/signals';
import { exportAccounts, exportUrl } from '../../data/download.ts';
import { Choice } from '../../parts/filters.tsx';
import { Icon } from '../../parts/icons.tsx';
import { sayFault } from '../../parts/toasts.tsx';
import { transferTexts as texts } from '../../texts/transfer.ts';
import { FilterBar } from '../accounts/filters.tsx';
import type { Filters } from '../accounts/types.ts';

const FORMATS = {
  csv: { format: 'csv' },
  excel: { format: 'csv', bom: 'true' },
  ndjson: { format: 'ndjson' },
} as const;

/** Accounts as a file: the browser saves it as it comes. */
export function Export() {
  const filters = useSignal<Filters>({});
  const format = useSignal<keyof typeof FORMATS>('csv');
  const query = { ...filters.value, ...FORMATS[format.value] };
  return (
    <section class="box" aria-labelledby="export-title">
      <header>
        <div>
          <h2 id="export-title">{texts.export}</h2>
          <p class="soft small-text">{texts.exportHelp}</p>
        </div>
      </header>
      <div class="inside stack">
        <FilterBar
          filters={filters.value}
          onFilter={(values) => {
            const given = Object.entries({ ...filters.value, ...values }).filter(([, value]) => value);
            filters.value = Object.fromEntries(given);
          }}
        />
        <div class="row filters">
          <Choice
            label={texts.format}
            options={texts.formats}
            value={format.value}
            onChoose={(name) => {
              format.value = name as keyof typeof FORMATS;
            }}
          />
          <a
            class="button primary"
            href={exportUrl(query)}
            download
            onClick={(event) => {
              event.preventDefault();
              exportAccounts(query).catch(sayFault);
            }}
          >
            <Icon name="down" />
            {texts.download}
          </a>
        </div>
      </div>
    </section>
  );
}
