import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/fallback.test.ts"
const trouble = "publish/fallbackTrouble.test.ts"
const stays = "publish/fallbackStay.test.ts"
const anew = "publish/fallbackAnew.test.ts"

/** Planted in the way back: when a partition leaves its fallback for the destination. */
export const fallbackReturnMutants: ReadonlyArray<Mutant> = [
  {
    name: "a partition goes back before the last of its fallback is sent on",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (left > 0) {`,
    replace: `if (left > 1) {`,
    foundBy,
    test: "is not left before the last of it is sent on"
  },
  {
    name: "a partition goes back although something of it is on its way to the fallback",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (part.isUnplaced || part.isFencing || !this.#home.isUnsent(partition)) return`,
    replace: `if (part.isUnplaced || part.isFencing) return`,
    foundBy: trouble,
    test: "is not left while something is on its way"
  },
  {
    name: "a busy publisher is not held back near the end of a fallback",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (isRising && left <= nearRecords) this.#hold(partition, part, true)`,
    replace: `if (isRising && left <= 0) this.#hold(partition, part, true)`,
    foundBy,
    test: "is left by a busy publisher"
  },
  {
    name: "a cluster that is away is asked ever again at once",
    file: "publish/fallback/FallbackReturn.ts",
    find: `part.pauseMs = Math.max(part.pauseMs, Math.min(part.pauseMs * 2, pauseMsMax))`,
    replace: `part.pauseMs = firstPauseMs`,
    foundBy: stays,
    test: "asks less and less often"
  },
  {
    name: "a publisher near the end of a fallback waits for it without an end",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (!part.isHeld || this.#pump.nowMs - part.heldSinceMs < part.heldMs) return false`,
    replace: `if (!part.isHeld || part.heldMs > 0) return false`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "holds nobody back for long"
  },
  {
    name: "who is held back near the end of a fallback waits for an answer of its cluster",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (!part.isHeld || this.#pump.nowMs - part.heldSinceMs < part.heldMs) return false
    // For`,
    replace: `if (!part.isHeld || part.left >= 0) return false
    // For`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "holds nobody back for long when its cluster takes its time"
  },
  {
    name: "nobody is told that a fallback does not say how far it was sent on",
    file: "publish/fallback/FallbackReturn.ts",
    find: `yield* this.#unanswered(look, rows)`,
    replace: ``,
    foundBy: trouble,
    test: "says once that nobody says how far"
  },
  {
    name: "a process that has nothing in a fallback never looks what waits there",
    file: "publish/fallback/FallbackReturn.ts",
    find: `look.wake.idleFor(idleLookMs)`,
    replace: `look.wake.wait`,
    foundBy: trouble,
    test: "shows what waits also to a process"
  },
  {
    name: "a fence that never ends keeps all partitions in a fallback",
    file: "publish/fallback/FallbackReturn.ts",
    find: `yield* Effect.forkChild(asked)`,
    replace: `yield* asked`,
    foundBy: trouble,
    test: "asks each partition for itself"
  },
  {
    name: "who was let go near the end of a fallback is held back again at once",
    file: "publish/fallback/FallbackReturn.ts",
    find: `this.#pump.nowMs < part.freeUntilMs`,
    replace: `this.#pump.nowMs < 0`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "holds nobody for more than eight seconds"
  },
  {
    name: "a cluster that answers and takes nothing is asked again at once",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (part.hasStored) {`,
    replace: `if (part.hasStored || nowMs - part.backSinceMs > pauseMsMax * 2) {`,
    foundBy: "publish/fallbackStay.test.ts",
    test: "has publishers wait for a tenth of an outage at most"
  },
  {
    name: "a cluster that has answered stores again",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (!this.#isProven) return`,
    replace: `if (this.#isProven && this.#pump.nowMs < 0) return`,
    foundBy: "publish/fallbackStay.test.ts",
    test: "has publishers wait for a tenth of an outage at most"
  },
  {
    name: "a partition that goes back to a cluster that answers has stored something there",
    file: "publish/fallback/SinkFallback.ts",
    find: `if (this.#fallback.back === "redrive") this.stores(number)`,
    replace: `this.stores(number)`,
    foundBy: "publish/fallbackStay.test.ts",
    test: "has publishers wait for a tenth of an outage at most"
  },
  {
    name: "what a cluster stores again shows nothing",
    file: "publish/Pump.ts",
    find: `      partition.home.fallback?.stored(partition.partition)
`,
    replace: ``,
    foundBy: "publish/fallbackStay.test.ts",
    test: "goes back when its cluster is not away any more"
  },
  {
    name: "a fallback to which nothing goes is not looked at for being made anew",
    file: "publish/fallback/FallbackReturn.ts",
    find: `            this.#findNew(look, rows)
            this.#waits(look.place, rows)`,
    replace: `            this.#waits(look.place, rows)`,
    foundBy: anew,
    test: "is told within two minutes"
  },
  {
    name: "what stands before what was sent on says nothing of a topic that is made anew",
    file: "publish/fallback/SinkFallback.ts",
    find: `return base < tookEnd || base < settledBefore`,
    replace: `return base < tookEnd || base < 0n * settledBefore`,
    foundBy: anew,
    test: "just before as many as it had"
  },
  {
    name: "a partition that may be another one goes back at the first look",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (!part.isOn || look.shrunken.has(row.partition)) continue`,
    replace: `if (!part.isOn) continue`,
    foundBy: anew,
    test: "where nothing says positions"
  }
]
