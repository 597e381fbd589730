import { expect, it } from "vitest"
import type { Brokers } from "../src/client/Brokers.ts"
import { failure } from "../src/client/failureOf.ts"
import { Fetcher } from "../src/group/Fetcher.ts"
import { GroupLane } from "../src/group/GroupLane.ts"

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

it("asks for leaders no more often for having been refused, and goes on when it no longer is", async () => {
  let asked = 0
  let isDown = true
  let fetches = 0
  const brokers = {
    settings: { requestMs: 5000 },
    topic: async () => ({ id: undefined }),
    leader: async () => {
      asked++
      await sleep(2 * asked)
      if (isDown) throw failure("Unavailable", "connect", "nobody listens")
      return 1
    },
    link: () => {
      fetches++
      return new Promise(() => undefined)
    },
    forget: () => undefined
  }
  const nothing = () => undefined
  const holder = { topic: "t", group: "g", commit: () => Promise.resolve(), hasRoom: nothing, over: nothing }
  const lanes = Array.from({ length: 8 }, (_, partition) => new GroupLane(holder, partition, 0n))
  const fetcher = new Fetcher(brokers as unknown as Brokers, "t", "fetch", () => lanes)
  fetcher.wake()
  await sleep(1000)
  // Once in 100 ms for each of them, at most.
  expect(asked).toBeGreaterThan(8)
  expect(asked).toBeLessThanOrEqual(8 * 11)
  isDown = false
  await expect.poll(() => fetches, { timeout: 3000 }).toBe(1)
  fetcher.stop()
})
