import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { formatNumber } from '../../data/format.ts';
import type { ImportReport } from '../../data/upload.ts';
import { AccountLink } from '../../parts/account-link.tsx';
import { Diff } from '../../parts/diff.tsx';
import { transferTexts as texts } from '../../texts/transfer.ts';

/** How many rows of a long list are shown at first, and how many more each time. */
const ROWS = 50;

/** What a file would do, or has done: in numbers, and line by line. */
export function Report({ report, isDone = false }: { report: ImportReport; isDone?: boolean }) {
  const { unchanged, failed, failures, changes = [] } = report;
  const counts = {
    created: report.wouldCreate ?? report.created,
    updated: report.wouldUpdate ?? report.updated,
    unchanged,
    failed,
  };
  const creations = changes.filter(({ before }) => before === null);
  const updates = changes.filter(({ before }) => before !== null);
  return (
    <>
      <dl class="figures">
        {(Object.keys(counts) as (keyof typeof counts)[]).map((name) => (
          <div key={name} class={name === 'failed' && failed > 0 ? 'fault' : ''}>
            <dt>{texts.counts[name][isDone ? 1 : 0]}</dt>
            <dd>{formatNumber(counts[name])}</dd>
          </div>
        ))}
      </dl>
      <Part title={texts.wrong} total={failed} rows={failures} isOpen>
        {each(({ line, path, reason }) => (
          <>
            <span class="soft">
              {texts.line} {formatNumber(line)}
            </span>{' '}
            {path && (
              <code>
                <bdi>{path}</bdi>
              </code>
            )}{' '}
            <bdi>{reason}</bdi>
          </>
        ))}
      </Part>
      <Part title={texts.creations} total={isDone ? 0 : counts.created} rows={creations}>
        {each(({ after }) => (
          <>
            <bdi>{after?.email}</bdi> {after?.name && <bdi class="soft">{after.name}</bdi>}
          </>
        ))}
      </Part>
      <Part title={texts.changes} total={isDone ? 0 : counts.updated} rows={updates}>
        {each(({ userId, before, after }) => (
          <>
            <AccountLink id={userId} />
            <Diff before={before} after={after} />
          </>
        ))}
      </Part>
    </>
  );
}

const each =
  <Row,>(row: (row: Row) => ComponentChildren) =>
  (rows: readonly Row[]) =>
    rows.map((one, index) => <li key={index}>{row(one)}</li>);

/** A long list of the report: drawn as far as the reader wants to see it. */
function Part<Row>({
  title,
  total,
  rows,
  children,
  isOpen = false,
}: {
  title: string;
  total: number;
  rows: readonly Row[];
  children: (rows: readonly Row[]) => ComponentChildren;
  isOpen?: boolean;
}) {
  const shown = useSignal(ROWS);
  const drawn = useMemo(() => rows.slice(0, shown.value), [rows, shown.value]);
  if (total === 0) return null;
  return (
    <details open={isOpen}>
      <summary>
        {title} ({formatNumber(total)})
      </summary>
      <ul class="lines">{children(drawn)}</ul>
      {rows.length > shown.value ? (
        <button
          type="button"
          class="button small"
          onClick={() => {
            shown.value += ROWS * 4;
          }}
        >
          {texts.more}
        </button>
      ) : (
        rows.length < total && <p class="soft">{texts.first(formatNumber(rows.length))}</p>
      )}
    </details>
  );
}
