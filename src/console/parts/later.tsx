import type { AnyComponent } from 'preact';
import { useLoaded } from '../data/load.ts';
import { texts } from '../texts.ts';
import { Bones, State } from './states.tsx';

/** A view whose code is loaded when somebody opens it. */
export function later<Props extends object>(load: () => Promise<AnyComponent<Props>>): AnyComponent<Props> {
  let loading: Promise<AnyComponent<Props>> | undefined;
  return function Later(props: Props) {
    const { data: View, error } = useLoaded('', () => {
      loading ??= load();
      return loading;
    });
    if (View) return <View {...props} />;
    // The browser tries an import once: only a new page tries again, and gets the new code after an upgrade.
    if (error !== undefined) {
      return (
        <State icon="warning" title={texts.states.failed}>
          <p>{texts.states.reloadText}</p>
          <button type="button" class="button" onClick={() => location.reload()}>
            {texts.states.reload}
          </button>
        </State>
      );
    }
    return <Bones />;
  };
}
