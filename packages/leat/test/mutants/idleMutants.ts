import type { Mutant } from "./Mutant.ts"

const ends = "ends though something is looked at or told now and then"
const foundBy = "promise/processEnd.test.ts"

/** What looks, or tells, only now and then, and keeps a process that has nothing else to do. */
export const idleMutants: ReadonlyArray<Mutant> = [
  {
    name: "the announcing of a ledger keeps a process",
    file: "transport/Announcer.ts",
    find: `Effect.map(idleSleep(everyMs),`,
    replace: `Effect.map(Effect.sleep(everyMs),`,
    foundBy,
    test: "announces its ledger once more before it ends"
  },
  {
    name: "a process ends with its last second not announced",
    file: "transport/Announcer.ts",
    find: `if (!isLast) ending.signal()`,
    replace: `if (isLast) ending.signal()`,
    foundBy,
    test: "announces its ledger once more before it ends"
  },
  {
    name: "a process that ends announces its ledger for ever",
    file: "transport/Announcer.ts",
    find: `if (!isLast) ending.signal()`,
    replace: `ending.signal()`,
    foundBy,
    test: "announces its ledger once more before it ends"
  },
  {
    name: "a process is never at its end",
    file: "beforeExit.ts",
    find: `process.on("beforeExit", runAll)`,
    replace: `process.on("exit", runAll)`,
    foundBy,
    test: "announces its ledger once more before it ends"
  },
  {
    name: "an objective keeps a process",
    file: "loss/LossWatch.ts",
    find: `yield* idleSleep(lookEveryMs)`,
    replace: `yield* Effect.sleep(lookEveryMs * 6)`,
    foundBy,
    test: "is told before it ends that it loses events"
  },
  {
    name: "a short program is not told that it loses events",
    file: "loss/LossWatch.ts",
    find: `yield* beforeExit(() => this.look())`,
    replace: `yield* beforeExit(() => undefined)`,
    foundBy,
    test: "is told before it ends that it loses events"
  },
  {
    name: "a program that leaves events behind is not told",
    file: "loss/lostAtEnd.ts",
    find: `if (left === told) return`,
    replace: `if (left !== told) return`,
    foundBy,
    test: "is told once what it leaves behind in a lane that stands"
  },
  {
    name: "what a program leaves behind is told without an end",
    file: "loss/lostAtEnd.ts",
    find: `    told = left\n`,
    replace: ``,
    foundBy,
    test: "is told once what it leaves behind in a lane that stands"
  },
  {
    name: "a routes file keeps a process",
    file: "routes/RoutesFile.ts",
    find: `yield* idleSleep(everyMs(every))`,
    replace: `yield* Effect.sleep(everyMs(every))`,
    foundBy,
    test: `${ends}: file`
  },
  {
    name: "references that are read again keep a process",
    file: "TableSwaps.ts",
    find: `idleSleep(renewEveryMs)`,
    replace: `Effect.sleep(renewEveryMs)`,
    foundBy,
    test: `${ends}: reference`
  },
  {
    name: "looks at the number of partitions keep a process",
    file: "publish/PartitionWatch.ts",
    find: `      yield* idleSleep(roundMs)
      for (const topic of this.#watched.keys()) {
        yield* idleSleep(betweenMs)`,
    replace: `      yield* Effect.sleep(roundMs)
      for (const topic of this.#watched.keys()) {
        yield* Effect.sleep(betweenMs)`,
    foundBy,
    test: `${ends}: growable`
  },
  {
    name: "looks at what others have in a fallback keep a process",
    file: "publish/fallback/FallbackReturn.ts",
    find: `look.wake.idleFor(idleLookMs)`,
    replace: `look.wake.waitFor(idleLookMs)`,
    foundBy,
    test: `${ends}: redrive`
  },
  {
    name: "looks at markers that wait keep a process",
    file: "publish/fallback/Redrive.ts",
    find: `yield* idleSleep(tellAgainMs)`,
    replace: `yield* Effect.sleep(tellAgainMs)`,
    foundBy,
    test: `${ends}: redrive`
  },
  {
    name: "looks whether a destination is back keep a process",
    file: "publish/fallback/FallbackReturn.ts",
    find: `: wake.idleFor(forMs)`,
    replace: `: wake.waitFor(60_000 + forMs)`,
    foundBy,
    test: `${ends}: stay`
  },
  {
    name: "looks whether a destination that is back has stored something keep a process",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (!this.#isProven) return look.wake.idleFor(lastingMs)`,
    replace: `if (!this.#isProven) return look.wake.waitFor(lastingMs)`,
    foundBy,
    test: `${ends}: stayBack`
  },
  {
    name: "looks of a coordinator keep a process",
    file: "moves/Coordinator.ts",
    find: `yield* news.idleFor(lookMs)`,
    replace: `yield* news.waitFor(lookMs)`,
    foundBy,
    test: `${ends}: control`
  },
  {
    name: "a look that refused events wait for keeps no process",
    file: "publish/fallback/FallbackReturn.ts",
    find: `yield* this.#home.hasRefused ? `,
    replace: `yield* on.length === 0 ? `,
    foundBy,
    test: "goes on while what its fallback has refused"
  },
  {
    name: "the question whether a topic is compacted keeps a process",
    file: "transport/CompactionWatch.ts",
    find: `Effect.as(idleSleep(answerMs), Option.none<boolean>())`,
    replace: `Effect.as(Effect.sleep(60_000), Option.none<boolean>())`,
    foundBy,
    test: `${ends}: compacted`
  },
  {
    name: "an old place that is read still keeps a process",
    file: "moves/Moves.ts",
    find: `(this.#isNeeded ? Effect.sleep(movingMs) : idleSleep(movingMs))`,
    replace: `(this.#isMoving ? Effect.sleep(movingMs) : idleSleep(movingMs))`,
    foundBy,
    test: `${ends}: moved`
  },
  {
    name: "a stream that is being moved keeps no process",
    file: "moves/Moves.ts",
    find: `if (endsOf(placement).source !== undefined) return true`,
    replace: ``,
    foundBy,
    test: "goes on while a stream of its fleet"
  },
  {
    name: "looks whether a stream is moved keep a process",
    file: "moves/Moves.ts",
    find: `(this.#isNeeded ? Effect.sleep(movingMs) : idleSleep(movingMs))`,
    replace: `Effect.sleep(movingMs)`,
    foundBy,
    test: `${ends}: control`
  },
  {
    name: "looks for what a bystander owes keep a process",
    file: "moves/Moves.ts",
    find: `        idleSleep(movingMs),
        Effect.suspend(() => this.#bystander`,
    replace: `        Effect.sleep(movingMs),
        Effect.suspend(() => this.#bystander`,
    foundBy,
    test: `${ends}: control`
  },
  {
    name: "looks whether the control stream is open keep a process",
    file: "moves/Moves.ts",
    find: `yield* idleSleep(openMs)`,
    replace: `yield* Effect.sleep(openMs)`,
    foundBy,
    test: `${ends}: controlAway`
  },
  {
    name: "tries to open the control stream keep a process",
    file: "routesSource.ts",
    find: `Effect.andThen(idleSleep(againEveryMs), connect)`,
    replace: `Effect.andThen(Effect.sleep(againEveryMs), connect)`,
    foundBy,
    test: `${ends}: controlAway`
  },
  {
    name: "looks at the control stream keep a process",
    file: "control/ControlStream.ts",
    find: `idleSleep(Duration.toMillis(lookEvery))`,
    replace: `Effect.sleep(lookEvery)`,
    foundBy,
    test: `${ends}: control`
  },
  {
    name: "beats keep a process",
    file: "control/ControlStream.ts",
    find: `idleSleep(Duration.toMillis(beatEvery))`,
    replace: `Effect.sleep(beatEvery)`,
    foundBy,
    test: `${ends}: control`
  },
  {
    name: "looks for a document of the fleet keep a process",
    file: "control/ControlledRoutes.ts",
    find: `yield* idleSleep(lookMs)`,
    replace: `yield* Effect.sleep(lookMs)`,
    foundBy,
    test: `${ends}: control`
  }
]
