/** A page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins. `null` on the last one, and missing where a list has one page. */
  readonly nextCursor?: string | null;
}

/**
 * A list: `for await` goes through the items of all its pages, and `await` reads one page. Nothing is sent before.
 */
export class List<Item, P = Page<Item>> implements PromiseLike<P>, AsyncIterable<Item> {
  readonly #load: (cursor: string | undefined) => Promise<P>;

  /** @internal */
  constructor(load: (cursor: string | undefined) => Promise<P>) {
    this.#load = load;
  }

  /** Reads a page: the first one, or the one at a `nextCursor`. */
  page(cursor?: string): Promise<P> {
    return this.#load(cursor);
  }

  /** Reads page after page. */
  async *pages(): AsyncGenerator<P, void, undefined> {
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await this.#load(cursor);
      yield page;
      const { items, nextCursor = null } = page as Page<Item>;
      // The change feed always has a next page: an empty one is its end.
      cursor = items.length === 0 ? null : nextCursor;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for await (const page of this.pages()) yield* (page as Page<Item>).items;
  }

  // biome-ignore lint/suspicious/noThenProperty: `await` reads the first page, which is what most callers want of a list.
  then<A = P, B = never>(
    onPage?: ((page: P) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.page().then(onPage, onError);
  }
}
