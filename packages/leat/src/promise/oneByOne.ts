/**
 * An iterable whose iterators may be asked for the next one again before the last has come, as those of a generator: who asks stands in line. No async
 * generator: that would answer `return` only after the `next` that waits.
 */
export function oneByOne<A>(iterable: AsyncIterable<A>): AsyncIterable<A> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = iterable[Symbol.asyncIterator]()
      let last: Promise<unknown> = Promise.resolve()
      return {
        next: () => {
          const next = last.then(() => iterator.next())
          // Whoever asked hears of a failure; who stands behind him asks all the same.
          last = next.catch(() => undefined)
          return next
        },
        return: () => iterator.return?.() ?? Promise.resolve({ done: true, value: undefined }),
        throw: async (error) => {
          if (iterator.throw === undefined) throw error
          return await iterator.throw(error)
        }
      }
    }
  }
}
