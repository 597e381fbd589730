import { Effect } from "effect"
import { expect, it } from "vitest"
import { type OffsetsAsked, startingOffsets } from "../src/group/startingOffsets.ts"

/** A group of a topic with the offsets 2 to 9. */
const startOf = async (
  committed: { readonly offset: number; readonly isOfOtherLog: boolean } | undefined,
  countAtFirst = 1
) => {
  const control: OffsetsAsked = {
    topicOf: () => Effect.succeed({ id: "a1", partitions: 1 }),
    settled: () => Effect.succeed(new Map(committed === undefined ? [] : [[0, committed]])),
    edges: (...[, , , edge]) => Effect.succeed(new Map([[0, edge === "earliest" ? 2 : 9]])),
    positionsAt: () => Effect.succeed(new Map())
  }
  const subscription = { topic: "t", group: "g", from: "latest", drainMs: 0 } as const
  const { offsets, topicId } = await Effect.runPromise(startingOffsets(control, subscription, [0], countAtFirst))
  expect(topicId).toBe("a1")
  return offsets.get(0)
}

it("a lane begins at the committed offset, up to the end", async () => {
  for (const offset of [2, 5, 9]) expect(await startOf({ offset, isOfOtherLog: false })).toBe(offset)
})

it("a lane begins at the first record where the committed offset is void: expired, behind the end, or of another log", async () => {
  expect(await startOf({ offset: 1, isOfOtherLog: false })).toBe(2)
  // librdkafka would begin at the first record too, its lane would fail, and so would every next one.
  expect(await startOf({ offset: 10, isOfOtherLog: false })).toBe(2)
  expect(await startOf({ offset: 5, isOfOtherLog: true })).toBe(2)
})

it("a group that begins at the latest record reads a partition from its beginning that was added after it had joined", async () => {
  expect(await startOf(undefined)).toBe(9)
  expect(await startOf(undefined, 0)).toBe(2)
})

it("a group that began at the latest record reads a partition from its beginning that was added while it was stopped, and no other", async () => {
  const begun = { offset: 5, isOfOtherLog: false, begunWith: 2 }
  const starts = (settled: ReadonlyArray<readonly [number, typeof begun]>) => {
    const control: OffsetsAsked = {
      topicOf: () => Effect.succeed({ id: "a1", partitions: 4 }),
      settled: (_, asked) => Effect.succeed(new Map(settled.filter(([partition]) => asked.includes(partition)))),
      edges: (...[, , asked, edge]) =>
        Effect.succeed(new Map(asked.map((partition) => [partition, edge === "earliest" ? 2 : 9]))),
      positionsAt: () => Effect.succeed(new Map())
    }
    const subscription = { topic: "t", group: "g", from: "latest", drainMs: 0 } as const
    // This member has two of the four; others have the rest.
    return Effect.runPromise(startingOffsets(control, subscription, [1, 3], 4))
  }
  const grown = await starts([[0, begun]])
  // Partition 1 was there when the group began, and nobody has said where it began in it.
  expect(grown.offsets).toEqual(
    new Map([
      [1, 9],
      [3, 2]
    ])
  )
  expect(grown.begunWith).toBe(2)
  // At the very first start another member was faster: it began with all four, and so does this one.
  const first = await starts([[0, { ...begun, begunWith: 4 }]])
  expect(first.offsets).toEqual(
    new Map([
      [1, 9],
      [3, 9]
    ])
  )
  expect((await starts([])).begunWith).toBe(4)
})

it("what has expired of a group that had begun is told by where it had come to, and of no other", async () => {
  const control: OffsetsAsked = {
    topicOf: () => Effect.succeed({ id: "a1", partitions: 5 }),
    settled: () =>
      Effect.succeed(
        new Map([
          [0, { offset: 1, isOfOtherLog: false }],
          [1, { offset: 2, isOfOtherLog: false }],
          [2, { offset: 1, isOfOtherLog: true }],
          [3, { offset: 10, isOfOtherLog: false }]
        ])
      ),
    edges: (...[, , , edge]) =>
      Effect.succeed(new Map([0, 1, 2, 3, 4].map((one) => [one, edge === "earliest" ? 2 : 9]))),
    positionsAt: () => Effect.succeed(new Map())
  }
  const subscription = { topic: "t", group: "g", from: "earliest", drainMs: 0 } as const
  const { expired } = await Effect.runPromise(startingOffsets(control, subscription, [0, 1, 2, 3, 4], 5))
  expect(expired).toEqual(new Map([[0, 1]]))
})
