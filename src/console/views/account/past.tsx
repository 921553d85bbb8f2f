import { Problem } from '../../../client/index.ts';
import { patchBetween } from '../../../client/merge-patch.ts';
import type { Account } from '../../data/account.ts';
import { call } from '../../data/api.ts';
import { useLoaded } from '../../data/load.ts';
import { differencesOf, type Values } from '../../data/values.ts';
import { Diff, FieldName, ValueText } from '../../parts/diff.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Bones, Failed } from '../../parts/states.tsx';
import { Time } from '../../parts/time.tsx';
import { account } from '../../texts/account.ts';
import { texts as shared } from '../../texts.ts';

const texts = account.timeline;

/** An account as it was at a time, and what is different now. */
export function Past({
  id,
  at,
  now,
  onNow,
}: {
  id: string;
  at: string;
  now: Account | undefined;
  onNow: () => void;
}) {
  const past = useLoaded(`${id} ${at}`, (signal) =>
    call('GET /v1/users/:id', { params: { id }, query: { at }, signal }),
  );
  const { data, error } = past;
  return (
    <section class="box past" aria-labelledby="past" aria-busy={past.isLoading} aria-live="polite">
      <header>
        <h2 id="past" class="row">
          <Icon name="clock" />
          <span>
            {texts.asOf}{' '}
            <span class="soft">
              <Time at={at} as="exact" />
            </span>
          </span>
        </h2>
        <button type="button" class="button small" onClick={onNow}>
          {texts.backToNow}
        </button>
      </header>
      <div class="inside stack">
        {error instanceof Problem && (error.code === 'not_found' || error.code === 'erased') ? (
          <p class="soft">{error.code === 'erased' ? texts.wasErased : texts.wasNot}</p>
        ) : error !== undefined ? (
          <Failed error={error} retry={past.reload} />
        ) : data === undefined ? (
          <Bones lines={8} />
        ) : (
          <>
            <dl class="pairs">
              {differencesOf(null, stateOf(data)).map(({ path, is }) => (
                <>
                  <dt key={path}>
                    <FieldName path={path} />
                  </dt>
                  <dd key={`${path} value`}>
                    <ValueText path={path} value={is} />
                  </dd>
                </>
              ))}
              <dt>{shared.fields['version']}</dt>
              <dd>{data.version}</dd>
            </dl>
            {now && <Since then={data} now={now} />}
          </>
        )}
      </div>
    </section>
  );
}

function stateOf({ name, email, role, roleUntil, status, storageMode, preferences }: Account): Values {
  return { name, email, role, roleUntil, status, storageMode, preferences };
}

function Since({ then, now }: { then: Account; now: Account }) {
  const [after, before] = [
    patchBetween(stateOf(then), stateOf(now)),
    patchBetween(stateOf(now), stateOf(then)),
  ];
  return (
    <div class="stack">
      <h3>{texts.differs}</h3>
      {Object.keys(after).length === 0 ? (
        <p class="soft">{texts.same}</p>
      ) : (
        <Diff before={before} after={after} />
      )}
    </div>
  );
}
