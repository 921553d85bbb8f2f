import { isProblem } from '../../client/index.ts';
import { texts } from '../texts.ts';
import { State } from './states.tsx';

/** The name of a filter in an address. */
type FilterName = keyof typeof texts.filters.names;

/** An invalid filter in the address. */
export interface WrongFilter {
  readonly name: FilterName;
  /** What it can be. */
  readonly reason: string;
}

/** What an address says. */
type AddressState = Readonly<Partial<Record<FilterName, string | undefined>>>;

/**
 * The filters in an address that the service refuses, each once. `names` has those that the address calls otherwise than the service,
 * by the names of its parameters.
 */
export function refusedFilters(
  error: unknown,
  state: AddressState,
  names: Readonly<Record<string, FilterName>> = {},
): readonly WrongFilter[] {
  if (!isProblem(error, 'invalid_query')) return [];
  const reasons = new Map<FilterName, string>();
  for (const { path, message } of error.details.errors ?? []) {
    const name = names[path] ?? (path as FilterName);
    if (state[name] && !reasons.has(name)) reasons.set(name, message);
  }
  return [...reasons].map(([name, reason]) => ({ name, reason }));
}

/** The most characters of a wrong filter that are shown. */
const MAX_SHOWN = 80;

/** Says in place of a list which filters in its address are wrong: without them, it would have what nobody has asked for. */
export function WrongFilters({
  wrong,
  state,
  onLeaveOut,
}: {
  wrong: readonly WrongFilter[];
  state: AddressState;
  /** Takes filters out of the address. */
  onLeaveOut: (values: { [Name in FilterName]?: undefined }) => void;
}) {
  return (
    <section class="box" role="alert">
      <State icon="filter" title={texts.filters.wrong(wrong.length)}>
        <dl class="wrong">
          {wrong.map(({ name, reason }) => (
            <div key={name}>
              <dt>
                <strong>{texts.filters.names[name]}</strong>{' '}
                <code>
                  <bdi>{shortened(state[name] ?? '')}</bdi>
                </code>
              </dt>
              <dd class="soft">{reason}</dd>
            </div>
          ))}
        </dl>
        <button
          type="button"
          class="button primary"
          onClick={() => {
            onLeaveOut(Object.fromEntries(wrong.map(({ name }) => [name, undefined])));
            // The button is gone.
            document.getElementById('view')?.focus({ preventScroll: true });
          }}
        >
          {texts.filters.without(wrong.length)}
        </button>
      </State>
    </section>
  );
}

function shortened(text: string): string {
  const characters = [...text];
  return characters.length > MAX_SHOWN ? `${characters.slice(0, MAX_SHOWN).join('')}…` : text;
}
