import { useSignal } from '@preact/signals';
import { type Account, type Patch, tellNewest } from '../../data/account.ts';
import { call } from '../../data/api.ts';
import { useCommands } from '../../data/commands.ts';
import { dryRun } from '../../data/dry-run.ts';
import { ActDialog } from '../../parts/act.tsx';
import { Name } from '../../parts/name.tsx';
import { sayChanged } from '../../parts/undo.tsx';
import { account as all } from '../../texts/account.ts';

const texts = all.acts;

/** What can be done to an account as a whole. */
type Act = 'suspend' | 'restore' | 'delete';

const STATUS = { suspend: 'suspended', restore: 'active' } as const satisfies Record<string, Patch['status']>;

const ICONS = { suspend: 'turnedAway', restore: 'check', delete: 'cross' } as const;

/** Suspension, deletion and erasure: each says what it does before it does it. */
export function Acts({ account, onSaved }: { account: Account; onSaved: (account: Account) => void }) {
  const act = useSignal<Act | undefined>(undefined);
  const { id, email, status } = account;
  const acts: readonly Act[] = [status === 'active' ? 'suspend' : 'restore', 'delete'];
  useCommands(
    acts.map((name) => ({
      icon: ICONS[name],
      label: texts[name].title,
      soft: email,
      run: () => {
        act.value = name;
      },
    })),
  );
  return (
    <section class="box acts" aria-labelledby="acts">
      <header>
        <h2 id="acts">{texts.title}</h2>
      </header>
      <ul class="listed">
        {acts.map((name) => (
          <li key={name}>
            <div>
              <h3>{texts[name].title}</h3>
              <p class="soft">{texts[name].text}</p>
            </div>
            <button
              type="button"
              class={name === 'restore' ? 'button' : 'button danger'}
              onClick={() => {
                act.value = name;
              }}
            >
              {texts[name].label}
            </button>
          </li>
        ))}
        <li>
          <div>
            <h3>{texts.erase.title}</h3>
            <p class="soft">{texts.erase.text}</p>
            <pre class="command">{texts.erase.command(email)}</pre>
          </div>
        </li>
      </ul>
      {act.value !== undefined && (
        <ActOne
          act={act.value}
          account={account}
          onDone={async (changed) => {
            const done = act.value as Act;
            if (changed) onSaved(changed);
            sayChanged(texts[done].done(email), await tellNewest(id));
          }}
          onClose={() => {
            act.value = undefined;
          }}
        />
      )}
    </section>
  );
}

function ActOne({
  act,
  account: { id, email, name },
  onDone,
  onClose,
}: {
  act: Act;
  account: Account;
  onDone: (changed: Account | undefined) => void;
  onClose: () => void;
}) {
  const params = { id: `${id}` };
  const { title, label, intro } = texts[act];
  return (
    <ActDialog
      title={title}
      label={label}
      isDanger={act !== 'restore'}
      intro={intro}
      plan={async (signal) =>
        (act === 'delete'
          ? await dryRun('DELETE /v1/users/:id', { params, signal })
          : await dryRun('PATCH /v1/users/:id', { params, body: { status: STATUS[act] }, signal })
        ).changes
      }
      act={async (reason) => {
        const why = { params, ...(reason !== undefined && { reason }) };
        if (act === 'delete') {
          await call('DELETE /v1/users/:id', why);
          onDone(undefined);
        } else {
          const body = { status: STATUS[act] };
          onDone((await call('PATCH /v1/users/:id', { ...why, body })) as Account);
        }
      }}
      onClose={onClose}
    >
      <p class="whom">
        {name !== null && <bdi>{name}</bdi>} <Name text={email} isSoft={name !== null} />
      </p>
    </ActDialog>
  );
}
