import { Component, type ComponentChild, type ComponentType, type FunctionComponent } from 'preact';

/** A component that is drawn again only once one of its props is another one: for the rows of a list that changes often. */
export function memo<Props extends object>(Drawn: FunctionComponent<Props>): ComponentType<Props> {
  return class Memo extends Component<Props> {
    override shouldComponentUpdate(next: Props): boolean {
      const names = new Set([...Object.keys(this.props), ...Object.keys(next)]) as Set<keyof Props>;
      return [...names].some((name) => !Object.is(this.props[name], next[name]));
    }

    override render(props: Props): ComponentChild {
      return Drawn(props) as ComponentChild;
    }
  };
}
