import type { Mutant } from "./Mutant.ts"

/** Planted in the end of a lane that is read: what is settled, judged and waited for then. */
export const laneEndMutants: ReadonlyArray<Mutant> = [
  {
    name: "a settle that never answers is waited for as long as its lane is held",
    file: "consume/LaneShell.ts",
    find: `      Effect.timeoutOrElse({ duration: settleMs, `,
    replace: `      Effect.timeoutOrElse({ duration: Infinity, `,
    foundBy: "consume/slowSettles.test.ts",
    test: "is given up"
  },
  {
    name: "a settle that never answers outlives its lane",
    file: "consume/LaneShell.ts",
    find: `    this.#settling?.interruptUnsafe()`,
    replace: `    void this.#settling`,
    foundBy: "consume/slowSettles.test.ts",
    test: "ends with its lane"
  },
  {
    name: "a member that leaves because a lane fails is taken for one that has died",
    file: "consume/LaneShell.ts",
    find: `if (!this.#isTheirs) yield*`,
    replace: `if (!this.#isLost) yield*`,
    foundBy: "consume/laneEnds.test.ts",
    test: "no process has died"
  },
  {
    name: "a lane that is somebody else's is given back",
    file: "consume/LaneShell.ts",
    find: `if (!this.#isTheirs) yield*`,
    replace: `if (this.#isLost || !this.#isTheirs) yield*`,
    foundBy: "consume/laneEnds.test.ts",
    test: "it is somebody else's"
  },
  {
    name: "a lane that fails does not end the stay in its group",
    file: "consume/Source.ts",
    find: `void Deferred.doneUnsafe(failed, Effect.fail(error))`,
    replace: `void error`,
    foundBy: "consume/lostLanes.test.ts",
    test: "ends the stay in its group"
  },
  {
    name: "handlers of a lane that was lost run beside those of the next one",
    file: "consume/Source.ts",
    find: `Effect.andThen(whenOver(earlier, lane), shell.run)`,
    replace: `shell.run`,
    foundBy: "consume/lostLanes.test.ts",
    test: "waits for them"
  },
  {
    name: "a lane whose driver dies while it waits for handlers of before is held by nobody",
    file: "consume/Source.ts",
    find: `Effect.asVoid(Effect.exit(revoked))`,
    replace: `revoked`,
    foundBy: "consume/lostLanes.test.ts",
    test: "stands because of a driver that dies"
  },
  {
    name: "what a consumer has in his hands is given again before he has ended it",
    file: "consume/Handling.ts",
    find: `if (!isInHand || isConsumerGone) fiber`,
    replace: `fiber`,
    foundBy: "consume/lostDeliveries.test.ts",
    test: "waits until he is done"
  },
  {
    name: "a consumer who has gone is waited for",
    file: "consume/LaneShell.ts",
    find: `return this.#options.consumer?.isGone === true`,
    replace: `return this.#options.consumer?.isGone === false`,
    foundBy: "consume/lostDeliveries.test.ts",
    test: "does not wait for one who has gone"
  },
  {
    name: "a consumer who has an event in his hands is not waited for when the leat closes",
    file: "consume/LaneShell.ts",
    find: `(this.#isConsumerGone ? 0 : this.#settings.drainMs)`,
    replace: `(this.#options.consumer !== undefined ? 0 : this.#settings.drainMs)`,
    foundBy: "consume/lostDeliveries.test.ts",
    test: "tells him to end it when the drain time is over"
  },
  {
    name: "a consumer who goes while his leat closes is waited for",
    file: "consume/Consuming.ts",
    find: `consumer?.goes()`,
    replace: ``,
    foundBy: "consume/lostDeliveries.test.ts",
    test: "does not wait for him once he has gone"
  },
  {
    name: "what stands in line for a consumer is given to him while his leat closes",
    file: "consume/LaneShell.ts",
    find: `if (this.#options.consumer !== undefined) this.#handling?.takeBack()`,
    replace: ``,
    foundBy: "consume/lostDeliveries.test.ts",
    test: "gives him no more"
  },
  {
    name: "a tombstone that is handled while a leat closes is taken back",
    file: "consume/Handling.ts",
    find: `if (isInHand || infos.some(({ isTaken }) => isTaken)) continue`,
    replace: `if (isInHand) continue`,
    foundBy: "consume/lostDeliveries.test.ts",
    test: "waits for the handler of a tombstone too"
  },
  {
    name: "a loop is left alone when its signal is aborted",
    file: "promise/DeliveryIterator.ts",
    find: `if (this.#given === undefined) void this.#stop()`,
    replace: `void this.#stop()`,
    foundBy: "promise/iterating.test.ts",
    test: "when its signal was aborted"
  },
  {
    name: "a consumer who goes while his lane ends is waited for",
    file: "consume/LaneShell.ts",
    find: `        if (this.#isConsumerGone) handling.interrupt(true)
`,
    replace: ``,
    foundBy: "consume/lostDeliveries.test.ts",
    test: "does not wait for one who has gone"
  },
  {
    name: "a lane that waits for handlers of before is kept although it was taken away",
    file: "consume/Source.ts",
    find: `return Effect.raceFirst(over, Effect.asVoid(Effect.exit(revoked)))`,
    replace: `return Effect.as(over, void revoked)`,
    foundBy: "consume/lostLanes.test.ts",
    test: "is given to another member at once"
  },
  {
    name: "a lane whose partition is given out anew is held on to",
    file: "consume/LaneShell.ts",
    find: `this.#lose("pull", Cause.fail(this.#givenOut))`,
    replace: `void this.#givenOut`,
    foundBy: "consume/lostLanes.test.ts",
    test: "waits for them: untold, none"
  },
  {
    name: "a lane that was lost waits for its handlers as long as one that was asked for",
    file: "consume/LaneShell.ts",
    find: `const giveUpAtMs = this.#isLost ? soonMs : (this`,
    replace: `const giveUpAtMs = (this`,
    foundBy: "consume/lostLanes.test.ts",
    test: "does not wait for ever"
  },
  {
    name: "a retry comes before its time",
    file: "consume/RetryHeap.ts",
    find: `first.retryAtMs > nowMs) return undefined`,
    replace: `first.retryAtMs > nowMs + 2) return undefined`,
    foundBy: "consume/ReadLane.test.ts",
    test: "do not come before their time"
  },
  {
    name: "a failure past the drain is judged by the policy",
    file: "consume/Handling.ts",
    find: `if (this.#isInterrupted || (isInterruption && machine.isRevoked))`,
    replace: `if (isInterruption && machine.isRevoked)`,
    foundBy: "consume/laneEnds.test.ts",
    test: "is judged by nobody"
  },
  {
    name: "a handler that was interrupted is counted as done",
    file: "consume/Handling.ts",
    find: `return machine.unfinished(held, nowMs)`,
    replace: `return machine.finished(held, undefined, nowMs)`,
    foundBy: "consume/revocation.test.ts",
    test: "is waited for by `stop` until it has cleaned up"
  },
  {
    name: "a lane is released while interrupted handlers clean up",
    file: "consume/LaneShell.ts",
    find: `return handling.waiting === 0`,
    replace: `return handling.waiting >= 0`,
    foundBy: "consume/revocation.test.ts",
    test: "is waited for by `stop` until it has cleaned up"
  },
  {
    name: "nothing is settled when a lane ends",
    file: "consume/LaneShell.ts",
    find: `this.#settleDue(this.#now(), true)`,
    replace: `this.#settleDue(this.#now(), false)`,
    foundBy: "consume/laneEnds.test.ts",
    test: "is settled at its end"
  },
  {
    name: "a lane that was lost is settled once more",
    file: "consume/LaneShell.ts",
    find: `if (position === undefined || this.#isLost) return`,
    replace: `if (position === undefined) return`,
    foundBy: "consume/laneEnds.test.ts",
    test: "is not settled when the lane was lost"
  },
  {
    name: "a lane that broke down is settled",
    file: "consume/LaneShell.ts",
    find: `if (this.#isSettling || this.#defect !== undefined) return false`,
    replace: `if (this.#isSettling) return false`,
    foundBy: "consume/laneEnds.test.ts",
    test: "is not settled when the lane broke down"
  },
  {
    name: "what a pull took that was interrupted is lost to the consumer",
    file: "consume/pullOf.ts",
    find: `exit === undefined || !Exit.hasInterrupts(exit)`,
    replace: `exit === undefined || Exit.hasInterrupts(exit)`,
    foundBy: "consume/lostDeliveries.test.ts",
    test: "leaves what it took for the next one"
  },
  {
    name: "nobody is told that a consumer has gone",
    file: "consume/Consumer.ts",
    find: `this.#isGone = true`,
    replace: ``,
    foundBy: "consume/lostDeliveries.test.ts",
    test: "does not wait for him once he has gone"
  },
  {
    name: "a subscription that has ended stays in the scope of its caller",
    file: "consume/Consuming.ts",
    find: `started.fiber.addObserver(() => void Effect.runForkWith(context)(left))`,
    replace: ``,
    foundBy: "consume/endings.test.ts",
    test: "leaves nothing in the scope of its caller"
  },
  {
    name: "each change of a state that comes and goes is told",
    file: "ChangeTeller.ts",
    find: `if (this.#atOnce < atOnceMax) {`,
    replace: `if (this.#atOnce >= 0) {`,
    foundBy: "ChangeTeller.test.ts",
    test: "for as long as it goes on changing"
  },
  {
    name: "a state that came and went often is told no more",
    file: "ChangeTeller.ts",
    find: `if (!isMore) this.#atOnce = 0`,
    replace: ``,
    foundBy: "ChangeTeller.test.ts",
    test: "is told at once when it begins and when it is over"
  },
  {
    name: "how a state is that came and went is not told at the end",
    file: "ChangeTeller.ts",
    find: `this.#tellMore("since")`,
    replace: ``,
    foundBy: "ChangeTeller.test.ts",
    test: "when nobody watches it any more"
  },
  {
    name: "who stops watching a state has the others told late",
    file: "ChangeTeller.ts",
    find: `    this.#atOnce = 0
    this.#tellMore("since")`,
    replace: `    this.#tellMore("since")`,
    foundBy: "ChangeTeller.test.ts",
    test: "is told at once again"
  }
]
