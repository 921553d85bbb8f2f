import { signal, useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Answered } from '../../client/index.ts';
import { call } from '../data/api.ts';
import { type Command, commandsHere } from '../data/commands.ts';
import { useGo } from '../data/drafts.ts';
import { keyNames, type Shortcut, shortcuts, useShortcuts } from '../data/keys.ts';
import { useLoaded } from '../data/load.ts';
import { viewUrl } from '../data/place.ts';
import { isAdmin, signOut } from '../data/session.ts';
import { THEMES, theme } from '../data/theme.ts';
import { texts } from '../texts.ts';
import { askToCreate } from '../views/accounts/create.tsx';
import { ADMIN_VIEWS, VIEWS } from '../views.tsx';
import { Dialog } from './dialog.tsx';
import { Icon } from './icons.tsx';
import { sayFault } from './toasts.tsx';

/** How many accounts the palette offers. */
const FOUND = 6;

const open = signal<'palette' | 'help' | undefined>(undefined);

/** Opens the palette, for those without its key. */
export function openPalette(): void {
  open.value = 'palette';
}

/** The key that opens the palette. */
export const PALETTE_KEY = 'Ctrl+k';

const KEYS: readonly Shortcut[] = [
  { key: PALETTE_KEY, label: texts.keys.palette, run: openPalette },
  { key: '?', label: texts.keys.help, run: () => (open.value = 'help') },
  { key: 'Escape', label: texts.keys.close },
];

/** The command palette on Ctrl-K, and the help on `?`. */
export function Palette() {
  useShortcuts(KEYS);
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
          {inHelp().map(({ key, label }) => (
            <>
              <dt>
                {keyNames(key).map((part) => (
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

/** The keys of the view before those of all views. */
function inHelp(): readonly Shortcut[] {
  return [...shortcuts.value.filter((list) => list !== KEYS).flat(), ...KEYS];
}

function Commands({ onClose }: { onClose: () => void }) {
  const go = useGo();
  const typed = useSignal('');
  const at = useSignal(0);
  const list = useRef<HTMLDivElement>(null);
  const text = typed.value.trim();
  const found = useLoaded<Answered<'GET /v1/users'>['items']>(text, async (signal) => {
    if (text.length < 2 || !isAdmin.value) return [];
    return (await call('GET /v1/users', { query: { q: text, limit: `${FOUND}` }, signal })).items;
  });
  const views = (isAdmin.value ? ADMIN_VIEWS : VIEWS).flatMap(({ path, name }): Command[] =>
    name === undefined ? [] : [{ icon: name, label: texts.nav[name], run: () => go(viewUrl(path)) }],
  );
  const accounts = (found.data ?? []).map(
    ({ id, name, email }): Command => ({
      icon: 'me',
      label: name ?? email,
      ...(name !== null && { soft: email }),
      run: () => go(viewUrl(`/accounts/${id}`)),
    }),
  );
  const groups = [
    { name: texts.keys.groups.here, commands: matching(commandsHere(), text) },
    { name: texts.keys.groups.views, commands: matching(views, text) },
    { name: texts.keys.groups.accounts, commands: accounts },
    { name: texts.keys.groups.acts, commands: matching(actsAnywhere(), text) },
  ].filter(({ commands }) => commands.length > 0);
  const commands = groups.flatMap((group) => group.commands);
  const chosen = Math.min(at.value, commands.length - 1);
  useLayoutEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [chosen, text]);
  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
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
          aria-activedescendant={chosen < 0 ? undefined : `command-${chosen}`}
          placeholder={texts.keys.paletteHint}
          autocomplete="off"
          spellcheck={false}
          dir="auto"
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
        <div ref={list} id="commands" role="listbox" aria-label={texts.keys.palette}>
          {groups.map(({ name, commands: own }) => (
            // biome-ignore lint/a11y/useSemanticElements: a group of options, which no element of a form is.
            <div key={name} role="group" aria-label={name}>
              <p class="soft" aria-hidden="true">
                {name}
              </p>
              {own.map((command) => {
                const index = commands.indexOf(command);
                return (
                  // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field above, which keeps the focus.
                  <div
                    key={index}
                    id={`command-${index}`}
                    role="option"
                    tabIndex={-1}
                    aria-selected={index === chosen}
                    onClick={() => run(command)}
                  >
                    <Icon name={command.icon} />
                    <span class="option">
                      <bdi>{command.label}</bdi>
                      {command.soft && <bdi class="soft">{command.soft}</bdi>}
                    </span>
                  </div>
                );
              })}
            </div>
          ))}
        </div>
        {commands.length === 0 && !found.isLoading && <p class="soft">{texts.keys.nothing}</p>}
      </form>
    </Dialog>
  );
}

/** The commands whose labels have every word of a text. */
function matching(commands: readonly Command[], text: string): readonly Command[] {
  const words = text.toLowerCase().split(/\s+/);
  return commands.filter(({ label }) => words.every((word) => label.toLowerCase().includes(word)));
}

/** What can be done whatever view is open. */
function actsAnywhere(): readonly Command[] {
  const { keys, accounts, session } = texts;
  return [
    ...(isAdmin.value ? [{ icon: 'plus', label: accounts.create, run: askToCreate } as const] : []),
    ...THEMES.filter((name) => name !== theme.value).map(
      (name) =>
        ({
          icon: 'theme',
          label: keys.theme(session.themes[name]),
          run: () => {
            theme.value = name;
          },
        }) as const,
    ),
    { icon: 'keys', label: keys.help, run: () => (open.value = 'help') },
    { icon: 'out', label: session.signOut, run: () => void signOut().catch(sayFault) },
  ];
}
