import { kafkaCodes } from "@leat/kafka"
import { describe, expect, it } from "vitest"
import type { Brokers } from "../src/client/Brokers.ts"
import { failure } from "../src/client/failureOf.ts"
import { groupsOf } from "../src/groupsOf.ts"

const { NONE, NOT_COORDINATOR, GROUP_AUTHORIZATION_FAILED, COORDINATOR_LOAD_IN_PROGRESS } = kafkaCodes

interface Given {
  /** Code of the answer to each question for a group that nobody has, by how many were asked before. */
  readonly probed: (asked: number) => number
  /** Each list of groups, by how many lists were given before. */
  readonly listed: (before: number) => ReadonlyArray<string>
}

/** One broker that coordinates all groups of a cluster whose topic of groups has one partition. */
function brokersWith({ probed, listed }: Given): Brokers {
  let [asked, lists] = [0, 0]
  const link = {
    call: (name: string, { groupId, topics }: { groupId: string; topics: ReadonlyArray<{ topic: string }> }) => {
      if (name === "ListGroups") {
        const groups = listed(lists++).map((one) => ({ groupId: one, protocolType: "consumer" }))
        return Promise.resolve({ errorCode: 0, groups: [...groups, { groupId: "shared", protocolType: "share" }] })
      }
      if (groupId.startsWith("leat-probe-")) return Promise.resolve({ errorCode: probed(asked++), responses: [] })
      if (groupId === "shared") throw new Error("a share group has no offsets to say")
      const offset = groupId.startsWith("idle") ? "-1" : "7"
      const partitions = [{ partition: 0, errorCode: 0, offset }]
      return Promise.resolve({ errorCode: 0, responses: topics.map(({ topic }) => ({ topic, partitions })) })
    }
  }
  const fake = {
    settings: { requestMs: 1000 },
    lookUp: (topic: string) =>
      topic === "gone"
        ? Promise.reject(failure("UnknownTopic", "metadata", "gone"))
        : Promise.resolve({ id: undefined, partitions: 1, leaders: new Map([[0, 1]]) }),
    coordinator: () => Promise.resolve(link),
    forgetCoordinator: () => undefined
  }
  return fake as unknown as Brokers
}

const all = ["a", "b", "idle"]

describe("the groups of a topic", () => {
  it("are those that have committed something there", async () => {
    const brokers = brokersWith({ probed: () => NONE, listed: () => all })
    expect((await groupsOf(brokers, "t")).toSorted()).toEqual(["a", "b"])
    await expect(groupsOf(brokers, "gone")).rejects.toMatchObject({ reason: "UnknownTopic" })
  })

  it("are asked for again when a broker lists them that does not coordinate them yet, or any more", async () => {
    // A broker lists nothing then, and says no error.
    for (const code of [NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS]) {
      const notYet = brokersWith({ probed: (asked) => (asked < 2 ? code : NONE), listed: () => all })
      expect((await groupsOf(notYet, "t")).toSorted()).toEqual(["a", "b"])
      const notAnyMore = brokersWith({
        probed: (asked) => (asked === 1 ? code : NONE),
        listed: (before) => (before === 0 ? [] : all)
      })
      expect((await groupsOf(notAnyMore, "t")).toSorted()).toEqual(["a", "b"])
    }
  })

  it("are not told where some of them may be hidden", async () => {
    const brokers = brokersWith({ probed: () => GROUP_AUTHORIZATION_FAILED, listed: () => all })
    await expect(groupsOf(brokers, "t")).rejects.toMatchObject({ reason: "Unauthorized" })
  })
})
