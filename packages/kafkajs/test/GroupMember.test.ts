import { Effect, Exit, Stream } from "effect"
import { TransportError } from "leat/transport"
import { afterEach, describe, expect, it } from "vitest"
import type { Brokers } from "../src/client/Brokers.ts"
import { GroupLane } from "../src/group/GroupLane.ts"
import { GroupMember } from "../src/group/GroupMember.ts"

const illegalGeneration = 22
const rebalanceInProgress = 27

const partitions = [{ partition: 0, offset: "0", errorCode: 0 }]

/** A coordinator that begins another generation with each join, and whose answers to commits wait for the test. */
class FakeCoordinator {
  joins = 0
  heartbeatCode = 0
  /** How long the others take to join, in milliseconds. */
  joinMs = 0
  /** How long it takes to be connected to, in milliseconds. */
  connectMs = 0
  left = 0
  /** What the next assignments are refused with. */
  readonly syncCodes: Array<number> = []
  /** Generations that commits were sent in, and how to answer each. */
  readonly commits: Array<{ readonly generation: number; readonly answer: (code: number) => void }> = []

  brokers(requestMs: number): Brokers {
    const link = { call: (name: string, asked: { readonly groupGenerationId: number }) => this.#answer(name, asked) }
    const fake = {
      settings: { requestMs },
      leader: () => Promise.resolve(1),
      lookUp: () => Promise.resolve({ id: undefined, partitions: 1, leaders: new Map() }),
      topic: () => Promise.resolve({ id: undefined, partitions: 1, leaders: new Map() }),
      // Nothing is ever fetched.
      link: (purpose: string) => (purpose === "ask" ? Promise.resolve(link) : new Promise(() => undefined)),
      coordinator: () => sleep(this.connectMs).then(() => link),
      forgetCoordinator: () => undefined,
      closePurpose: () => undefined
    }
    return fake as unknown as Brokers
  }

  async #answer(name: string, { groupGenerationId: generation }: { readonly groupGenerationId: number }) {
    switch (name) {
      case "JoinGroup":
        this.heartbeatCode = 0
        await sleep(this.joinMs)
        return { errorCode: 0, generationId: ++this.joins, leaderId: "another", memberId: "one", members: [] }
      case "LeaveGroup":
        this.left++
        return { errorCode: 0 }
      case "Heartbeat":
        return { errorCode: this.heartbeatCode }
      case "OffsetCommit": {
        const { promise, resolve } = Promise.withResolvers<number>()
        this.commits.push({ generation, answer: resolve })
        return { responses: [{ topic: "t", partitions: [{ partition: 0, errorCode: await promise }] }] }
      }
      case "SyncGroup":
        return { errorCode: this.syncCodes.shift() ?? 0, memberAssignment: null }
      default:
        return { errorCode: 0, memberAssignment: null, responses: [{ topic: "t", partitions }] }
    }
  }
}

describe("a member whose group takes as long as a session to join", () => {
  it("stays in the group when the next rebalance comes before its assignment", async () => {
    const coordinator = new FakeCoordinator()
    const failures: Array<TransportError> = []
    const membership = { topic: "t", group: "g", from: "earliest", drainMs: 1000, sessionMs: 300 } as const
    const member = new GroupMember(coordinator.brokers(5000), membership, {
      given: () => undefined,
      failed: (error) => failures.push(error)
    })
    void member.run()
    await until(() => coordinator.joins === 1)
    await sleep(20)
    coordinator.joinMs = 400
    coordinator.syncCodes.push(rebalanceInProgress)
    coordinator.heartbeatCode = rebalanceInProgress
    await until(() => coordinator.joins === 3 || failures.length > 0)
    expect(failures).toEqual([])
    await member.leave()
  })
})

describe("a member that leaves", () => {
  it("has left when it is told so once more, before the connections are closed", async () => {
    const coordinator = new FakeCoordinator()
    const membership = { topic: "t", group: "g", from: "earliest", drainMs: 1000, sessionMs: 3000 } as const
    const member = new GroupMember(coordinator.brokers(5000), membership, {
      given: () => undefined,
      failed: () => undefined
    })
    void member.run()
    await until(() => coordinator.joins === 1)
    await sleep(20)
    coordinator.connectMs = 200
    // It has no lanes, so this leaves already.
    member.takeNoMore()
    await member.leave()
    expect(coordinator.left).toBe(1)
  })
})

describe("a member that settles while its group moves on", () => {
  let member: GroupMember | undefined
  afterEach(() => member?.leave())

  /** In generation 1, with a settle that has been sent. */
  async function settling(coordinator: FakeCoordinator, requestMs: number) {
    const membership = { topic: "t", group: "g", from: "earliest", drainMs: 1000, sessionMs: 300 } as const
    const joined = new GroupMember(coordinator.brokers(requestMs), membership, {
      given: () => undefined,
      failed: () => undefined
    })
    member = joined
    void joined.run()
    await until(() => coordinator.joins === 1)
    const lane = new GroupLane(joined, 0, 0n)
    lane.received({ records: [], next: 10n, gap: "control" }, 1)
    await Effect.runPromise(Stream.runDrain(Stream.take(lane.held.lane.batches, 1)))
    const settled = Effect.runPromiseExit(lane.held.lane.settle(5n))
    await until(() => coordinator.commits.length === 1)
    return { lane, settled }
  }

  async function nextGeneration(coordinator: FakeCoordinator): Promise<void> {
    coordinator.heartbeatCode = rebalanceInProgress
    const { joins } = coordinator
    await until(() => coordinator.joins > joins)
    await sleep(20)
  }

  it("sends again what was too late for the generation before, and does not join once more for it", async () => {
    const coordinator = new FakeCoordinator()
    const { settled } = await settling(coordinator, 5000)
    await nextGeneration(coordinator)
    coordinator.commits[0]?.answer(illegalGeneration)
    await until(() => coordinator.commits.length === 2)
    coordinator.commits[1]?.answer(0)
    expect(Exit.isSuccess(await settled)).toBe(true)
    expect([coordinator.commits[1]?.generation, coordinator.joins]).toEqual([2, 2])
  })

  it("says of no lane that it is lost, while it holds that, because the time for the settle is up", async () => {
    const coordinator = new FakeCoordinator()
    const { lane, settled } = await settling(coordinator, 50)
    await nextGeneration(coordinator)
    await sleep(50)
    coordinator.commits[0]?.answer(illegalGeneration)
    const error = await Effect.runPromise(Effect.flip(Effect.flatten(Effect.promise(() => settled))))
    expect(error).toBeInstanceOf(TransportError)
    expect([error.reason, lane.held.isHeld]).toEqual(["Unavailable", true])
  })
})

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(1)
}
