import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { Answered } from '../../client/index.ts';
import { call } from '../data/api.ts';
import { useGo } from '../data/drafts.ts';
import { type Shortcut, shortcuts, useShortcuts } from '../data/keys.ts';
import { useLoaded } from '../data/load.ts';
import { viewUrl } from '../data/place.ts';
import { isAdmin } from '../data/session.ts';
import { texts } from '../texts.ts';
import { ADMIN_VIEWS, VIEWS } from '../views.tsx';
import { Dialog } from './dialog.tsx';
import { Icon, type IconName } from './icons.tsx';

/** How many accounts the palette offers. */
const FOUND = 6;

interface Command {
  readonly id: string;
  readonly icon: IconName;
  readonly label: string;
  readonly soft?: string;
  readonly url: string;
}

/** The command palette on Ctrl-K, and the help on `?`. */
export function Palette() {
  const open = useSignal<'palette' | 'help' | undefined>(undefined);
  const own = useMemo<readonly Shortcut[]>(
    () => [
      { key: 'Ctrl+k', label: texts.keys.palette, run: () => (open.value = 'palette') },
      { key: '?', label: texts.keys.help, run: () => (open.value = 'help') },
    ],
    [open],
  );
  useShortcuts(own);
  const close = () => {
    open.value = undefined;
  };
  if (open.value === 'help') return <Help onClose={close} />;
  return open.value === 'palette' ? <Commands onClose={close} /> : null;
}

function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={texts.keys.title} onClose={onClose}>
      <div class="body">
        <h2>{texts.keys.title}</h2>
        <dl class="pairs keys">
          {shortcuts.value.flat().map(({ key, label }) => (
            <>
              <dt>
                {key.split('+').map((part) => (
                  <kbd key={part}>{part}</kbd>
                ))}
              </dt>
              <dd>{label}</dd>
            </>
          ))}
        </dl>
        <div class="row end">
          <button type="button" class="button" onClick={onClose}>
            {texts.dialog.close}
          </button>
        </div>
      </div>
    </Dialog>
  );
}

function Commands({ onClose }: { onClose: () => void }) {
  const go = useGo();
  const typed = useSignal('');
  const at = useSignal(0);
  const text = typed.value.trim();
  const found = useLoaded<Answered<'GET /v1/users'>['items']>(text, async (signal) => {
    if (text.length < 2 || !isAdmin.value) return [];
    return (await call('GET /v1/users', { query: { q: text, limit: `${FOUND}` }, signal })).items;
  });
  const views = (isAdmin.value ? ADMIN_VIEWS : VIEWS).flatMap(({ path, name }): Command[] =>
    name !== undefined && texts.nav[name].toLowerCase().includes(text.toLowerCase())
      ? [{ id: path, icon: name, label: texts.nav[name], url: viewUrl(path) }]
      : [],
  );
  const accounts = (found.data ?? []).map(
    ({ id, name, email }): Command => ({
      id: `account-${id}`,
      icon: 'me',
      label: name ?? email,
      ...(name !== null && { soft: email }),
      url: viewUrl(`/accounts/${id}`),
    }),
  );
  const commands = [...views, ...accounts];
  const chosen = Math.min(at.value, commands.length - 1);
  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    go(command.url);
  };
  return (
    <Dialog title={texts.keys.palette} onClose={onClose}>
      <form
        class="palette"
        onSubmit={(event) => {
          event.preventDefault();
          run(commands[chosen]);
        }}
      >
        <input
          class="input"
          role="combobox"
          aria-label={texts.keys.paletteHint}
          aria-expanded="true"
          aria-controls="commands"
          aria-activedescendant={commands[chosen] && `command-${commands[chosen].id}`}
          placeholder={texts.keys.paletteHint}
          value={typed.value}
          onInput={({ currentTarget }) => {
            typed.value = currentTarget.value;
            at.value = 0;
          }}
          onKeyDown={(event) => {
            const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
            if (step === undefined || commands.length === 0) return;
            event.preventDefault();
            at.value = (chosen + step + commands.length) % commands.length;
          }}
        />
        <div id="commands" role="listbox" aria-label={texts.keys.palette}>
          {commands.map((command, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field above, which keeps the focus.
            <div
              key={command.id}
              id={`command-${command.id}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === chosen}
              onClick={() => run(command)}
            >
              <Icon name={command.icon} />
              <bdi>{command.label}</bdi>
              {command.soft && <bdi class="soft">{command.soft}</bdi>}
            </div>
          ))}
        </div>
        {commands.length === 0 && !found.isLoading && <p class="soft">{texts.keys.nothing}</p>}
      </form>
    </Dialog>
  );
}
