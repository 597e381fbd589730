import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/fallback.test.ts"
const trouble = "publish/fallbackTrouble.test.ts"
const hangs = "publish/fallbackHangs.test.ts"
const worlds = "publish/fallbackWorlds.test.ts"

/** Planted in what sends on from a fallback: its group, its partitions, and how each record ends. */
export const fallbackRedriveMutants: ReadonlyArray<Mutant> = [
  {
    name: "what tells consumers again goes on when its member has ended",
    file: "publish/fallback/Redrive.ts",
    find: `(telling) => Effect.sync(() => telling.interruptUnsafe())`,
    replace: `() => Effect.void`,
    foundBy: "worlds"
  },
  {
    name: "what is sent on from a fallback is settled before it is stored",
    file: "publish/fallback/Redrive.ts",
    find: `        yield* this.#sendOn.send(held, some)
`,
    replace: `        held.passed((some.at(-1)?.position ?? 0n) + 1n)
        yield* held.settle(held.at)
        yield* this.#sendOn.send(held, some)
`,
    foundBy: worlds,
    test: "lose nothing"
  },
  {
    name: "whoever is given a partition of a fallback does not fence what it had given up there",
    file: "publish/fallback/Redrive.ts",
    find: `if (!held.isFenced) yield* this.#sendOn.fence(held)`,
    replace: ``,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "fences the destination when a partition comes again"
  },
  {
    name: "what had no answer lands behind what is sent on from a fallback",
    file: "publish/fallback/SinkFallback.ts",
    find: `if (!part.isOn || !part.mayLandLate || !isAnswered()) return Effect.void`,
    replace: `if (part.isOn || !part.mayLandLate || !isAnswered()) return Effect.void`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "fences the sink too, before what stands behind something that had no answer"
  },
  {
    name: "what stands in a fallback until it is resumed is sent on nevertheless",
    file: "publish/sendOn/SendOn.ts",
    find: `Effect.raceFirst(Deferred.await(resumed), settled)`,
    replace: `Effect.raceFirst(Effect.sleep(1000), settled)`,
    foundBy,
    test: "halts where its cluster refuses"
  },
  {
    name: "what is sent on from a fallback is in no account",
    file: "publish/fallback/RedriveEndings.ts",
    find: `if (id !== undefined && !isMarker) count(`,
    replace: `if (id === undefined && !isMarker) count(`,
    foundBy,
    test: "is sent on by whoever is there"
  },
  {
    name: "what is sent on once more from a fallback is counted once more",
    file: "publish/fallback/RedriveEndings.ts",
    find: `if (record.position < (this.#countedTo.get(partition) ?? 0n)) continue`,
    replace: `if (record.position < 0n) continue`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "fences the destination when a partition comes again"
  },
  {
    name: "consumers are not told what was dropped on its way from a fallback",
    file: "publish/fallback/RedriveEndings.ts",
    find: `this.notices.drop(partition, record, how, () => false)`,
    replace: `this.notices.drop(partition, record, how, () => true)`,
    foundBy,
    test: "tells consumers"
  },
  {
    name: "what waits in a fallback is sent on with the writer of the sink",
    file: "publish/fallback/Redrive.ts",
    find: `      if (this.#isAway) return
`,
    replace: ``,
    foundBy: "publish/fallbackAway.test.ts",
    test: "publishes to the fallback"
  },
  {
    name: "what is refused when it is sent on from a fallback is surely not stored",
    file: "publish/fallback/RedriveEndings.ts",
    find: `    account.droppedMayBeStored += events
`,
    replace: ``,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "goes on where a record is refused"
  },
  {
    name: "what is stored behind a refused record of a fallback is not counted",
    file: "publish/sendOn/SendOn.ts",
    find: `if (behind.length > 0) this.#stored(part, behind)`,
    replace: ``,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "goes on where a record is refused"
  },
  {
    name: "closing settles nothing of what was sent on from a fallback",
    file: "publish/fallback/HeldPartition.ts",
    find: `!this.isOfBefore ? this.#settles.last(this.partition, this.at) : Effect.void`,
    replace: `!this.isOfBefore ? Effect.void : Effect.void`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "waits for what is on its way when its process is closed"
  },
  {
    name: "a partition of a fallback that cannot be read interrupts its neighbours",
    file: "publish/fallback/Redrive.ts",
    find: `(one) => this.#giveBack(one)`,
    replace: `() => Effect.void`,
    foundBy: trouble,
    test: "has no partition that cannot be read"
  },
  {
    name: "a partition of a fallback that cannot be read is tried again each second",
    file: "publish/fallback/Redrive.ts",
    find: `againMs: this.#pump.nowMs + pauseMs })
      yield* Effect.sleep(pauseMs)
`,
    replace: `againMs: this.#pump.nowMs + pauseMs })
`,
    foundBy: trouble,
    test: "has no partition that cannot be read"
  },
  {
    name: "nobody is told why nothing of a fallback is sent on",
    file: "publish/fallback/Redrive.ts",
    find: `Effect.andThen(this.#fails(undefined, error, pauseMs), Effect.sleep(pauseMs))`,
    replace: `Effect.sleep(pauseMs)`,
    foundBy: trouble,
    test: "says once why nothing is sent on"
  },
  {
    name: "what is sent on from a fallback has to be settled before anything goes back",
    file: "publish/fallback/HeldPartition.ts",
    find: `    this.#home.sentOn(this.partition, position)
`,
    replace: ``,
    foundBy: trouble,
    test: "goes back although nothing can be settled there"
  },
  {
    name: "a drop whose marker is refused is announced by nobody",
    file: "publish/fallback/HeldPartition.ts",
    find: `    this.#home.endings.handOver(this.partition)
`,
    replace: ``,
    foundBy: trouble,
    test: "has a later event announce a drop"
  },
  {
    name: "what is sent on from a topic that was made anew is counted already",
    file: "publish/fallback/RedriveEndings.ts",
    find: `    this.#countedTo.delete(partition)
`,
    replace: ``,
    foundBy: trouble,
    test: "is known to be another one"
  },
  {
    name: "what is deleted in a fallback before it is sent on is in no account",
    file: "publish/fallback/RedriveEndings.ts",
    find: `    count(this.#home.unreadAccount, { ending: "dropped", reason: "Corrupt" }, Number(to - first))
`,
    replace: ``,
    foundBy: trouble,
    test: "counts what was deleted there"
  },
  {
    name: "a settle that ends before whoever begins it goes on is the last one",
    file: "publish/sendOn/Settles.ts",
    find: `settling.isRunning = true
      return Effect.forkIn(Effect.interruptible(this.#run(partition, settling)), this.#scope)`,
    replace: `return Effect.tap(Effect.forkIn(Effect.interruptible(this.#run(partition, settling)), this.#scope), () => Effect.sync(() => void (settling.isRunning = true)))`,
    foundBy: "publish/Settles.test.ts",
    test: "settles each position"
  },
  {
    name: "who is interrupted while it begins to settle keeps all others from it",
    file: "publish/sendOn/Settles.ts",
    find: `Effect.uninterruptible(Effect.map(running, (fiber) => void (settling.running = fiber)))`,
    replace: `Effect.map(running, (fiber) => void (settling.running = fiber))`,
    foundBy: "publish/spillInterrupted.test.ts",
    test: "while it begins to settle"
  },
  {
    name: "a member whose group fails interrupts what is on its way",
    file: "publish/fallback/Redrive.ts",
    find: `      yield* this.#giveBackAll(Array.from(this.#held))
`,
    replace: ``,
    foundBy: trouble,
    test: "stores nothing twice, and gets on"
  },
  {
    name: "a member whose group fails joins again each second",
    file: "publish/fallback/Redrive.ts",
    find: `againMs * 2 ** this.#failures++`,
    replace: `againMs`,
    foundBy: trouble,
    test: "stores nothing twice, and gets on"
  },
  {
    name: "a membership that ends is told by nobody",
    file: "publish/fallback/Redrive.ts",
    find: `else if (!exit.value)`,
    replace: `else if (exit.value && opened === undefined)`,
    foundBy: trouble,
    test: "stores nothing twice, and gets on"
  },
  {
    name: "a resume that comes while a halt is told is lost",
    file: "publish/sendOn/SendOn.ts",
    find: `Effect.raceFirst(Deferred.await(resumed), settled)`,
    replace: `Effect.raceFirst(Deferred.await(this.#resumed), settled)`,
    foundBy: trouble,
    test: "is resumed also by whoever"
  },
  {
    name: "who is held back near the end of a fallback waits also when its destination goes away again",
    file: "publish/fallback/HeldPartition.ts",
    find: `    this.#home.stands(this.partition, reason)
`,
    replace: ``,
    foundBy: trouble,
    test: "holds nobody back whose destination goes away again"
  },
  {
    name: "resume corrects the times of a fallback's own records only",
    file: "publish/fallback/HeldPartition.ts",
    find: `return end > this.readEnd ? end : this.readEnd`,
    replace: `return end`,
    foundBy: trouble,
    test: "has the time of a record corrected"
  },
  {
    name: "an opening that never comes back is waited for by whoever sends on",
    file: "publish/fallback/Redrive.ts",
    find: `duration: answerMs,`,
    replace: `duration: 1e9,`,
    foundBy: trouble,
    test: "is joined anew where one call never"
  },
  {
    name: "a group in which nothing gets on is never joined anew",
    file: "publish/fallback/Redrive.ts",
    find: `if (!isToJoin) return`,
    replace: `if (isToJoin || !isToJoin) return`,
    foundBy: trouble,
    test: "is joined anew where one call never"
  },
  {
    name: "a group in which nothing gets on is joined anew at each look",
    file: "publish/fallback/HangWatch.ts",
    find: `if (nowMs < joins.nextMs) continue`,
    replace: `if (nowMs < 0) continue`,
    foundBy: trouble,
    test: "less and less often while another"
  },
  {
    name: "a partition that is given back takes with it what was refused before",
    file: "publish/sendOn/CarriedDrops.ts",
    find: `      put(this.#refused, partition, marker, dropped.take())
    this.#carried.delete(partition)`,
    replace: `      void [marker, dropped]`,
    foundBy: trouble,
    test: "has all drops announced whose markers"
  },
  {
    name: "a lane whose stream ends at once comes again at once",
    file: "publish/fallback/Redrive.ts",
    find: `Effect.andThen(work, Effect.raceFirst(lane.revoked, Effect.sleep(againMs)))`,
    replace: `work`,
    foundBy: trouble,
    test: "does not spin where the stream"
  },
  {
    name: "what waits as its policy says is taken for a call that never comes back",
    file: "publish/fallback/Redrive.ts",
    find: `mine.isSending || this.#telling.has(row.partition) ||`,
    replace: `this.#telling.has(row.partition) ||`,
    foundBy: trouble,
    test: "is not joined anew while its policy waits"
  },
  {
    name: "an opening without an answer is tried on beside the next one",
    file: "transport/leavable.ts",
    find: `      fiber.interruptUnsafe()
`,
    replace: ``,
    foundBy: trouble,
    test: "tries one opening at a time"
  },
  {
    name: "what fails is taken for what hangs",
    file: "publish/fallback/HangWatch.ts",
    find: `if (partition === undefined || partition === one) still.sinceMs = againMs`,
    replace: `if (partition === undefined && partition === one) still.sinceMs = againMs`,
    foundBy: "publish/HangWatch.test.ts",
    test: "are those that wait for a minute without a step and"
  },
  {
    name: "a partition that gets on is taken for one that hangs",
    file: "publish/fallback/HangWatch.ts",
    find: `found?.settled === settled ? found :`,
    replace: `found !== undefined ? found :`,
    foundBy: "publish/HangWatch.test.ts",
    test: "are those that wait for a minute without a step and"
  },
  {
    name: "a destination that is not open yet is a call that never comes back",
    file: "publish/fallback/Redrive.ts",
    find: `if (this.#isAway) this.#hangs`,
    replace: `if (!this.#isAway) this.#hangs`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "says nothing of its group while a process starts"
  },
  {
    name: "what was refused before waits with what is to be told now",
    file: "publish/sendOn/SendOn.ts",
    find: `          notice.told()
          this.#home.stores(partition)
`,
    replace: `          notice.told()
          this.notices.again(partition)
          this.#home.stores(partition)
`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "announces what was refused before also"
  },
  {
    name: "a trouble that comes again is told by nobody",
    file: "publish/fallback/Redrive.ts",
    find: `if (isNew) this.#untold.add(partition)`,
    replace: `if (isNew && !this.#toldMs.has(partition)) this.#untold.add(partition)`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "tells of a failure that comes again"
  },
  {
    name: "a neighbour that gets on has the group joined anew for a partition that hangs, each time",
    file: "publish/fallback/HangWatch.ts",
    find: `if (row === undefined || settledOf(row) > settled)`,
    replace: `if (row === undefined || waiting.some((one) => settledOf(one) > settled))`,
    foundBy: "publish/HangWatch.test.ts",
    test: "no sooner because a neighbour gets on"
  },
  {
    name: "a partition that got on hangs as before",
    file: "publish/fallback/HangWatch.ts",
    find: `if (row === undefined || settledOf(row) > settled)`,
    replace: `if (row === undefined)`,
    foundBy: "publish/HangWatch.test.ts",
    test: "begin anew when they get on"
  },
  {
    name: "a marker that does not get through is a hang",
    file: "publish/fallback/Redrive.ts",
    find: `mine.isSending || this.#telling.has(row.partition) ||`,
    replace: `mine.isSending ||`,
    foundBy: hangs,
    test: "is no hang while the destination is away"
  },
  {
    name: "what was settled long ago is told by nobody when the partition is given back",
    file: "publish/sendOn/SendOn.ts",
    find: `Effect.sync(() => this.notices.refused(part.partition))`,
    replace: `Effect.void`,
    foundBy: hangs,
    test: "is told in the end"
  },
  {
    name: "what is held of a fallback goes on with the positions of the topic before",
    file: "publish/fallback/Redrive.ts",
    find: `    for (const held of this.#held) if (held.partition === partition) held.isOfBefore = true
    Deferred.doneUnsafe(this.#broken, Effect.void)
`,
    replace: ``,
    foundBy: hangs,
    test: "with less than before"
  },
  {
    name: "a position of the topic before is settled in the one that was made anew",
    file: "publish/fallback/HeldPartition.ts",
    find: `this.at > this.lane.start && !this.isOfBefore`,
    replace: `this.at > this.lane.start`,
    foundBy: hangs,
    test: "settles nothing of before"
  },
  {
    name: "what others have left in a fallback is a standstill of a destination that stores all",
    file: "publish/fallback/SinkFallback.ts",
    find: `for (const standing of on) if (partition === undefined || partition === standing) this.fails(standing, sinceMs, why)`,
    replace: `for (const standing of partition === undefined ? on : [partition]) this.fails(standing, sinceMs, why)`,
    foundBy: hangs,
    test: "is no trouble of a process that stores all"
  },
  {
    name: "what is to be told of a partition goes with it to another process",
    file: "publish/fallback/Redrive.ts",
    find: `for (const part of [...this.#held, ...this.#apart]) {`,
    replace: `for (const part of this.#held) {`,
    foundBy: hangs,
    test: "is told by it although another process has the partition"
  },
  {
    name: "a writer that is closed for good is tried again for ever",
    file: "publish/fallback/Redrive.ts",
    find: `if (!isClosed(reason) || nowMs < this.#reopenMs) return`,
    replace: `if (!isClosed(reason) || nowMs >= 0) return`,
    foundBy: hangs,
    test: "for good is opened anew"
  },
  {
    name: "what is to be told of others is tried with a closed writer for ever",
    file: "publish/fallback/Redrive.ts",
    find: `          (reason) => this.#stands(partition, reason)
        )`,
    replace: `          () => undefined
        )`,
    foundBy: hangs,
    test: "is made with another writer"
  },
  {
    name: "what stands is shown since it was looked at last",
    file: "publish/fallback/SinkFallback.ts",
    find: `isSame ? Math.min(before.sinceMs, sinceMs) : sinceMs, lastMs`,
    replace: `nowMs, lastMs`,
    foundBy: hangs,
    test: "is no trouble of a process that stores all"
  },
  {
    name: "what is on its way of a topic that was made anew counts for the new one",
    file: "publish/fallback/RedriveEndings.ts",
    find: `if (!isOfBefore) {`,
    replace: `if (!isOfBefore || records.length > 0) {`,
    foundBy: trouble,
    test: "whatever was on its way of the one before"
  },
  {
    name: "an outage after something that others had left is told by nobody",
    file: "publish/fallback/SinkFallback.ts",
    find: `this.#unusedMs = Math.min(this.#unusedMs, this.#pump.nowMs)`,
    replace: `this.#unusedMs = this.#pump.nowMs`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "tells of the next outage as of another one"
  },
  {
    name: "a partition of a fallback that failed once is never well again while nothing comes",
    file: "publish/fallback/Redrive.ts",
    find: `this.#pump.nowMs - dueMs > wellMs ? 0 : failures`,
    replace: `failures`,
    foundBy: "publish/fallbackTrouble.test.ts",
    test: "says again what cannot be read a day after"
  }
]
