import { Stream } from "effect"
import { expect, it } from "vitest"
import { oneByOne } from "../../src/promise/oneByOne.js"

const asked = <A>(iterator: AsyncIterator<A>, count: number) =>
  Promise.allSettled(Array.from({ length: count }, () => iterator.next()))

it("gives each who asks the next one, in order, and then the end", async () => {
  const iterator = oneByOne(Stream.toAsyncIterable(Stream.make("a", "b")))[Symbol.asyncIterator]()
  expect(await asked(iterator, 3)).toMatchObject([
    { value: { done: false, value: "a" } },
    { value: { done: false, value: "b" } },
    { value: { done: true } }
  ])
})

it("tells the first who asks of a failure, and the others of the end", async () => {
  const iterator = oneByOne(Stream.toAsyncIterable(Stream.fail("no")))[Symbol.asyncIterator]()
  expect(await asked(iterator, 3)).toMatchObject([
    { reason: "no" },
    { value: { done: true } },
    { value: { done: true } }
  ])
})

it("ends all who wait when it is left", async () => {
  const iterator = oneByOne(Stream.toAsyncIterable(Stream.never))[Symbol.asyncIterator]()
  const waiting = asked(iterator, 2)
  // The first of them is asked for.
  await Promise.resolve()
  expect(await iterator.return?.()).toMatchObject({ done: true })
  expect(await waiting).toMatchObject([{ value: { done: true } }, { value: { done: true } }])
}, 2000)
