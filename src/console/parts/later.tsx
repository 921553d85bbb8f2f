import type { AnyComponent } from 'preact';
import { useLoaded } from '../data/load.ts';
import { texts } from '../texts.ts';
import { Bones, State } from './states.tsx';

/** A view whose code is loaded when somebody opens it, or is about to. */
export function later<Props extends object>(
  load: () => Promise<AnyComponent<Props>>,
): { readonly component: AnyComponent<Props>; readonly load: () => void } {
  let loading: Promise<AnyComponent<Props>> | undefined;
  let loaded: AnyComponent<Props> | undefined;
  const start = () => {
    loading ??= load().then((view) => {
      loaded = view;
      return view;
    });
    return loading;
  };
  function Later(props: Props) {
    const { error } = useLoaded('', start);
    const View = loaded;
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
  }
  // Whoever opens it is told what went wrong.
  return { component: Later, load: () => void start().catch(() => undefined) };
}
