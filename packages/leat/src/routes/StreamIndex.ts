/**
 * Which routes may match a stream, without looking at each: most name one stream, and a table may have thousands. With each compared with each
 * other, a swap of 4,000 routes held the process for half a minute.
 */
export class StreamIndex {
  readonly #exact = new Map<string, Array<number>>()
  readonly #starred: Array<number> = []

  /** The globs of the streams, in the order of the routes. */
  constructor(globs: Iterable<string>) {
    let index = 0
    for (const glob of globs) {
      if (glob.includes("*")) this.#starred.push(index)
      else {
        const found = this.#exact.get(glob)
        if (found === undefined) this.#exact.set(glob, [index])
        else found.push(index)
      }
      index++
    }
  }

  /** In the order of the routes: indexes of those whose glob is the text, or has a star in it. */
  *of(stream: string): Generator<number> {
    const exact = this.#exact.get(stream) ?? []
    let at = 0
    for (const starred of this.#starred) {
      for (let next = exact[at]; next !== undefined && next < starred; next = exact[++at]) yield next
      yield starred
    }
    for (; at < exact.length; at++) yield exact[at] ?? 0
  }
}
