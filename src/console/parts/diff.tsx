import { useSignal } from '@preact/signals';
import { formatMoment, formatNumber } from '../data/format.ts';
import { differencesOf, type Values } from '../data/values.ts';
import { history } from '../texts/history.ts';
import { texts } from '../texts.ts';
import { Arrow } from './icons.tsx';
import { Name } from './name.tsx';

/** As much of a value as is shown at first, in characters. */
const SHORT = 240;

/** What a change did, field by field and preference by preference; `null` for what was not there before, or is not there afterwards. */
export function Diff({
  before,
  after,
  limit = 8,
}: {
  before: Values | null;
  after: Values | null;
  /** How many values are shown at first. */
  limit?: number;
}) {
  const isWhole = useSignal(false);
  const all = differencesOf(before, after);
  if (all.length === 0) return <p class="soft">{history.noValues}</p>;
  // One more is not worth a button.
  const shown = isWhole.value || all.length <= limit + 1 ? all : all.slice(0, limit);
  return (
    <>
      <dl class="diff">
        {shown.map(({ path, was, is }) => (
          <div key={path}>
            <dt>
              <FieldName path={path} />
            </dt>
            <dd>
              {before !== null && <Side path={path} value={was} as="del" label={history.from} />}
              {before !== null && after !== null && <Arrow />}
              {after !== null && <Side path={path} value={is} as="ins" label={history.to} />}
            </dd>
          </div>
        ))}
      </dl>
      {shown.length < all.length && (
        <button
          type="button"
          class="button small plain"
          onClick={() => {
            isWhole.value = true;
          }}
        >
          {history.allValues(formatNumber(all.length))}
        </button>
      )}
    </>
  );
}

function Side({
  path,
  value,
  as: Tag,
  label,
}: {
  path: string;
  value: unknown;
  as: 'del' | 'ins';
  label: string;
}) {
  const text = <ValueText path={path} value={value} />;
  return (
    <span>
      <span class="unseen">{label}</span>
      {value === undefined || value === null ? text : <Tag>{text}</Tag>}
    </span>
  );
}

/** The name of a field in words, or a path in the preferences as it is. */
export function FieldName({ path }: { path: string }) {
  return <bdi>{texts.fields[path] ?? path}</bdi>;
}

/** A value of a field or a preference. */
export function ValueText({ path, value }: { path: string; value: unknown }) {
  const isWhole = useSignal(false);
  if (value === undefined || value === null) return <span class="soft">{history.notSet}</span>;
  const text = textOf(path, value);
  if (isWhole.value || text.length <= SHORT) return <Name text={text} />;
  return (
    <>
      {/* By characters, of which some have two units. */}
      <bdi>{[...text.slice(0, SHORT)].slice(0, -1).join('')}…</bdi>{' '}
      <button
        type="button"
        class="button small plain"
        onClick={() => {
          isWhole.value = true;
        }}
      >
        {history.longValue}
      </button>
    </>
  );
}

const NAMES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  role: texts.roles,
  status: texts.statuses,
  storageMode: texts.storageModes,
};

function textOf(path: string, value: unknown): string {
  // In the preferences, a text is told apart from a number by its quotes.
  if (typeof value !== 'string' || path.startsWith('preferences.')) return JSON.stringify(value);
  if (path === 'createdAt' || path === 'roleUntil') return formatMoment(value);
  return NAMES[path]?.[value] ?? value;
}
