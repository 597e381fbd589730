import type { From } from "leat/transport"
import { expect, it } from "vitest"
import { settledNote } from "@leat/kafka"
import type { Brokers } from "../src/client/Brokers.ts"
import { Fetcher } from "../src/group/Fetcher.ts"
import { GroupLane } from "../src/group/GroupLane.ts"
import { startingPositions } from "../src/group/startingPositions.ts"
import { readFetchAnswer } from "../src/protocol/fetch.ts"
import { readMetadataAnswer } from "../src/protocol/metadata.ts"

const id = "00112233445566778899aabbccddeeff"
const otherId = "ff112233445566778899aabbccddeeff"

/** A group that has settled position 4 of a partition with positions 0 to 9. */
function brokersWith(metadata: string | null | undefined, offset = "4"): Brokers {
  const answers: Record<string, (asked: { readonly topics: ReadonlyArray<never> }) => object> = {
    OffsetFetch: () => ({
      errorCode: 0,
      responses: [{ topic: "t", partitions: [{ partition: 0, errorCode: 0, offset, metadata }] }]
    }),
    ListOffsets: ({ topics }) => {
      const [{ partitions } = { partitions: [] }] = topics as ReadonlyArray<{
        readonly partitions: ReadonlyArray<{ readonly timestamp: string }>
      }>
      const edge = partitions[0]?.timestamp === "-2" ? "2" : "9"
      return { responses: [{ topic: "t", partitions: [{ partition: 0, errorCode: 0, offset: edge }] }] }
    }
  }
  const link = { call: (name: string, asked: { readonly topics: ReadonlyArray<never> }) => answers[name]?.(asked) }
  const fake = {
    settings: { requestMs: 1000 },
    leader: async () => 1,
    link: async () => link,
    coordinator: async () => link
  }
  // All that is asked of them here; private fields keep a type from being built by hand.
  return fake as unknown as Brokers
}

const startOf = async (metadata: string | null | undefined, topicId: string | undefined, from: From = "latest") =>
  (await startingPositions(brokersWith(metadata), "g", { topic: "t", id: topicId, count: 1 }, [0], from)).positions.get(
    0
  )

it("a lane begins at the first record where the group has settled a position of another topic of the name", async () => {
  expect(await startOf(settledNote({ topicId: otherId }), id)).toEqual({ position: 2n, isToBeKept: false })
})

it("a lane begins where the group is settled in this topic, or where nobody says in which", async () => {
  for (const metadata of [settledNote({ topicId: id }), "", null, "of another client"])
    expect(await startOf(metadata, id)).toEqual({ position: 4n, isToBeKept: false })
  expect(await startOf(settledNote({ topicId: id }), undefined)).toEqual({ position: 4n, isToBeKept: false })
})

it("a group that begins at the latest record reads a partition from its beginning that was added after it had joined", async () => {
  const brokers = brokersWith(null, "-1")
  const starts = (countAtFirst: number) =>
    startingPositions(brokers, "g", { topic: "t", id, count: 1 }, [0], "latest", countAtFirst)
  expect((await starts(1)).positions.get(0)).toEqual({ position: 9n, isToBeKept: true })
  expect((await starts(0)).positions.get(0)).toEqual({ position: 2n, isToBeKept: true })
})

it("a group that began at the latest record reads a partition from its beginning that was added while it was stopped, and no other", async () => {
  const starts = async (begunWith: number | undefined) => {
    const metadata = settledNote({ topicId: id, begunWith })
    const link = {
      call: (name: string, { topics: [of] }: { topics: ReadonlyArray<{ partitions: ReadonlyArray<object> }> }) => {
        const asked = of?.partitions as ReadonlyArray<{ readonly partition: number; readonly timestamp?: string }>
        const partitions = asked.map(({ partition, timestamp }) => ({
          partition,
          errorCode: 0,
          metadata,
          offset: name === "ListOffsets" ? (timestamp === "-2" ? "2" : "9") : partition === 0 ? "5" : "-1"
        }))
        return { errorCode: 0, responses: [{ topic: "t", partitions }] }
      }
    }
    const fake = {
      settings: { requestMs: 1000 },
      leader: async () => 1,
      link: async () => link,
      coordinator: async () => link
    }
    // As above. This member has two of the four partitions; others have the rest.
    const brokers = fake as unknown as Brokers
    return startingPositions(brokers, "g", { topic: "t", id, count: 4 }, [1, 3], "latest")
  }
  const grown = await starts(2)
  // Partition 1 was there when the group began, and nobody has said where it began in it.
  expect([1, 3].map((partition) => grown.positions.get(partition)?.position)).toEqual([9n, 2n])
  expect(grown.begunWith).toBe(2)
  // At the very first start another member was faster: it began with all four, and so does this one.
  const first = await starts(4)
  expect([1, 3].map((partition) => first.positions.get(partition)?.position)).toEqual([9n, 9n])
  expect((await starts(undefined)).begunWith).toBe(4)
})

it("lanes of a topic that was made anew fail, and nothing is fetched for them", async () => {
  const nothing = () => undefined
  const holder = { topic: "t", group: "g", commit: () => Promise.resolve(), hasRoom: nothing, over: nothing }
  let fetches = 0
  const fake = {
    settings: { requestMs: 1000 },
    topic: async () => ({ id: otherId }),
    leader: async () => 1,
    link: () => {
      fetches++
      return new Promise(nothing)
    }
  }
  const old = new GroupLane(holder, 0, 10n, { topicId: id })
  // As above.
  const brokers = fake as unknown as Brokers
  const fetcher = new Fetcher(brokers, "t", "fetch", () => [old])
  fetcher.wake()
  await expect.poll(() => old.wantsMore).toBe(false)
  expect(fetches).toBe(0)
  const unidentified = new GroupLane(holder, 0, 10n)
  new Fetcher(brokers, "t", "fetch", () => [unidentified]).wake()
  await expect.poll(() => fetches).toBe(1)
})

it("answers that end in the middle are Corrupt, whatever is cut", () => {
  const fetched = Buffer.from(
    // tags, throttle, code, session, 1 topic: id, 1 partition: 3, code 100, three positions, no aborted, no replica, no bytes, tags
    ["00", "00000000", "0000", "00000000", "02", id, "02", "00000003", "0064", "00".repeat(24), "01", "ffffffff"]
      .concat("01", "00", "00", "00")
      .join(""),
    "hex"
  )
  const frame = { apiKey: 1, apiVersion: 13, apiName: "Fetch", bytes: Buffer.alloc(0) }
  expect(readFetchAnswer(fetched, frame, "t")).toMatchObject({ code: 0, partitions: [{ partition: 3, code: 100 }] })
  for (let length = 0; length < fetched.length - 1; length++)
    expect(() => readFetchAnswer(fetched.subarray(0, length), frame, "t")).toThrow("Corrupt")
  const metadata = Buffer.from(
    ["00", "00000000", "02", "00000007", "0268", "00002384", "00", "00", "00", "00000007"]
      .concat("02", "0000", "0274", id, "00", "02", "0000", "00000000", "00000007", "00000000", "01", "01", "01", "00")
      .concat("00000000", "00", "00")
      .join(""),
    "hex"
  )
  expect(readMetadataAnswer(metadata).topicMetadata).toEqual([
    {
      topicErrorCode: 0,
      topic: "t",
      topicId: id,
      partitionMetadata: [{ partitionErrorCode: 0, partitionId: 0, leader: 7 }]
    }
  ])
  for (let length = 0; length < metadata.length - 7; length++)
    expect(() => readMetadataAnswer(metadata.subarray(0, length))).toThrow("Corrupt")
})
