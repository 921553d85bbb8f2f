/** A map or a list of the document, as the library keeps it. What is in it is another one, or a value. */
interface Branch {
  get(key: string): unknown;
  getIn(path: readonly string[]): unknown;
  map(change: (child: unknown) => unknown): Branch;
  merge(other: Branch): Branch;
  set(key: string, value: unknown): Branch;
  delete(key: string): Branch;
}

/** What the library gives its plugins of the document. */
interface System {
  readonly specSelectors: { specJson(): Branch };
  readonly specActions: { updateResolvedSubtree(path: readonly string[], resolved: unknown): void };
}

/**
 * Resolves the references in an operation that is opened. The library reads the whole document into another model each time, because
 * references may lead to other documents: a second of a good processor. Ours lead to its own components alone.
 */
export const resolvesReferences = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        requestResolvedSubtree:
          (_original: unknown, { specSelectors, specActions }: System) =>
          (path: readonly string[]) => {
            const document = specSelectors.specJson();
            specActions.updateResolvedSubtree(path, resolve(document.getIn(path), document));
          },
      },
    },
  },
});

/** What branches are resolved to: operations share most of theirs. */
const known = new WeakMap<Branch, unknown>();

function resolve(node: unknown, document: Branch): unknown {
  if (!isBranch(node)) return node;
  if (known.has(node)) return known.get(node);
  // A component that contains itself ends there.
  known.set(node, node);
  const reference = node.get('$ref');
  const resolved =
    typeof reference === 'string'
      ? referred(node, reference, document)
      : node.map((child) => resolve(child, document));
  known.set(node, resolved);
  return resolved;
}

/** What a reference leads to, with what stands beside it, and with its name where the library looks for that. */
function referred(node: Branch, reference: string, document: Branch): unknown {
  const target = resolve(document.getIn(reference.split('/').slice(1)), document);
  return isBranch(target) ? target.merge(node).delete('$ref').set('$$ref', reference) : node;
}

const isBranch = (node: unknown): node is Branch =>
  typeof node === 'object' && node !== null && 'getIn' in node;
