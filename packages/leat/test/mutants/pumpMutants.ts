import type { Mutant } from "./Mutant.ts"

/** Planted in what runs the lanes of a cluster: turns, times, ranges on their way and fences. */
export const pumpMutants: ReadonlyArray<Mutant> = [
  {
    name: "sends run in the async context of whoever published first",
    file: "publish/Pump.ts",
    find: `const run = () => opening.runInAsyncScope(turn)`,
    replace: `const run = turn`,
    foundBy: "promise/publishing.test.ts",
    test: "is not that of a driver"
  },
  {
    name: "an answer while the pump has a turn to come wakes nobody",
    file: "publish/Pump.ts",
    find: `if (partition !== this.#driving) this.schedule(partition)`,
    replace: `if (partition !== this.#driving && !this.#isScheduled) this.schedule(partition)`,
    foundBy: "publish/brokenDrivers.test.ts",
    test: "answers nothing"
  },
  {
    name: "a send that is traced is handed over in a fiber of its own",
    file: "publish/Pump.ts",
    find: `      sending.trace = end
      send()`,
    replace: `      sending.trace = end
      Effect.runForkWith(this.context)(Effect.sync(send))`,
    foundBy: "publish/pumping.test.ts",
    test: "hands sends over in order where they are traced"
  },
  {
    name: "the span of a send without an answer is left open when its sink closes",
    file: "publish/Pump.ts",
    find: `for (const sending of partition.unanswered) sending.endSpan("closed")`,
    replace: ``,
    foundBy: "publish/pumping.test.ts",
    test: "ends the span"
  },
  {
    name: "a lane that waits for its time is not entered",
    file: "publish/Pump.ts",
    find: `this.#calendar.enter((command.lane as PumpedLane | undefined) ?? partition, command.untilMs)`,
    replace: `if (command.lane === undefined) this.#calendar.enter(partition, command.untilMs)`,
    foundBy: "stories"
  },
  {
    name: "a sleep is not shortened for what is due earlier",
    file: "publish/Pump.ts",
    find: `atMs < this.#sleepsUntilMs) this.#wake()`,
    replace: `this.#sleepsUntilMs === Number.POSITIVE_INFINITY) this.#wake()`,
    foundBy: "publish/pumping.test.ts",
    test: "wakes for what is due earlier"
  },
  {
    name: "a partition that has had its sends of one turn gets no other",
    file: "publish/Pump.ts",
    find: `if (hasFailed || sends >= sendsPerTurn) {
        this.schedule(partition)`,
    replace: `if (hasFailed || sends >= sendsPerTurn) {
        if (hasFailed) this.schedule(partition)`,
    foundBy: "publish/pumping.test.ts",
    test: "sends all that is due"
  },
  {
    name: "sends without an answer are looked at once",
    file: "publish/Pump.ts",
    find: `if (nextMs < Number.POSITIVE_INFINITY) this`,
    replace: `if (nextMs > Number.POSITIVE_INFINITY) this`,
    foundBy: "publish/pumping.test.ts",
    test: "looks at sends without an answer"
  },
  {
    name: "turns are timed by the wall clock",
    file: "publish/Pump.ts",
    find: `    this.#nowMs = monotonicMs(this.#clock)
    this.#calendar`,
    replace: `    this.#nowMs = this.#clock.currentTimeMillisUnsafe()
    this.#calendar`,
    foundBy: "worlds"
  },
  {
    name: "a send that throws is waited for until its time is over",
    file: "publish/Pump.ts",
    find: "        this.#answered(partition, sending, [unknownRun(this.transport.name, from, to, detail)])",
    replace: "        void detail",
    foundBy: "publish/brokenDrivers.test.ts",
    test: "throws is not waited for"
  },
  {
    name: "a fence goes on after its sink has closed",
    file: "publish/Pump.ts",
    find: `    this.#calendar.remove(partition)
    partition.fencing?.interruptUnsafe()`,
    replace: `    this.#calendar.remove(partition)`,
    foundBy: "publish/pumping.test.ts",
    test: "asks for no fence any more"
  },
  {
    name: "a pump without sinks sleeps on",
    file: "publish/Pump.ts",
    find: `if (this.#calendar.earliestMs < Number.POSITIVE_INFINITY) return
    this.#sleeping?.interruptUnsafe()`,
    replace: `if (this.#calendar.earliestMs < Number.POSITIVE_INFINITY) return`,
    foundBy: "publish/pumping.test.ts",
    test: "sleeps for nothing"
  },
  {
    name: "a fence that returns wakes nobody",
    file: "publish/Pump.ts",
    find: `this.#random.nextDoubleUnsafe())
        this.schedule(partition)`,
    replace: `this.#random.nextDoubleUnsafe())`,
    foundBy: "stories"
  },
  {
    name: "a send is said to have taken a second less than it did",
    file: "publish/Pump.ts",
    find: `record((nowMs - sending.sentAtMs) / 1000)`,
    replace: `record((nowMs - graceMs - sending.sentAtMs) / 1000)`,
    foundBy: "Telemetry.test.ts",
    test: "the time of a send"
  },
  {
    name: "every sink has a pump of its own",
    file: "publish/Pumps.ts",
    find: `this.#pumps.set(transport, pump)`,
    replace: `void transport`,
    foundBy: "publish/pumping.test.ts",
    test: "is one for all its sinks"
  },
  {
    name: "one who was woken is not to be woken again",
    file: "publish/Calendar.ts",
    find: `        one.alarmMs = Number.POSITIVE_INFINITY
        one.ring()`,
    replace: `        one.ring()`,
    foundBy: "publish/Calendar.test.ts",
    test: "wakes everybody once"
  },
  {
    name: "one who is to be woken earlier is woken later too",
    file: "publish/Calendar.ts",
    find: `    this.remove(one)
    one.alarmMs = time`,
    replace: `    one.alarmMs = time`,
    foundBy: "publish/Calendar.test.ts",
    test: "wakes once who is entered again"
  },
  {
    name: "who is woken has a part of a millisecond left to wait",
    file: "publish/Calendar.ts",
    find: `Math.ceil(atMs)`,
    replace: `Math.floor(atMs)`,
    foundBy: "publish/Calendar.test.ts",
    test: "between two milliseconds"
  },
  {
    name: "one more is on its way than the transport keeps in order",
    file: "publish/WritePartition.ts",
    find: `this.#window.length >= (this.isSpilling ? 1 : this.#options.pipeline)`,
    replace: `this.#window.length > (this.isSpilling ? 1 : this.#options.pipeline)`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are at most as many"
  },
  {
    name: "nothing is waited for behind a range that failed",
    file: "publish/WritePartition.ts",
    find: ` || this.#behind > 0`,
    replace: ``,
    foundBy: "publish/WritePartition.test.ts",
    test: "behind one that failed are waited for"
  },
  {
    name: "a failure that was answered out of order holds nothing back",
    file: "publish/WritePartition.ts",
    find: ` || this.#hasFailure`,
    replace: ``,
    foundBy: "publish/WritePartition.test.ts",
    test: "once one of them is known to have failed"
  },
  {
    name: "the fence is asked for while ranges are on their way",
    file: "publish/WritePartition.ts",
    find: `if (this.#window.length > 0) return idle
    if (this.#notBeforeMs`,
    replace: `if (this.#notBeforeMs`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are all answered before a fence"
  },
  {
    name: "doubt is cleared by a fence that timed out",
    file: "publish/WritePartition.ts",
    find: `if (failure === undefined) {`,
    replace: `if (failure === undefined || failure.tag === "Timeout") {`,
    foundBy: "publish/WritePartition.test.ts",
    test: "that failed (Timeout) is asked for again"
  },
  {
    name: "with the records in doubt the fence is given up",
    file: "publish/WritePartition.ts",
    find: `      this.#fenceAttempts = 1
      this`,
    replace: `      this.#isFenceDue = false
      this`,
    foundBy: "publish/WritePartition.test.ts",
    test: "is not given up with the records in doubt"
  },
  {
    name: "a lane that had nothing due gets no turn again",
    file: "publish/WritePartition.ts",
    find: `      lane.isReady = false
`,
    replace: ``,
    foundBy: "publish/WritePartition.test.ts",
    test: "wait for linger unless"
  },
  {
    name: "a lane with much to send has all turns",
    file: "publish/WritePartition.ts",
    find: `        this.#line.push(lane)
        return this.#send(lane, span)`,
    replace: `        this.#line.insert(0, lane)
        return this.#send(lane, span)`,
    foundBy: "publish/WritePartition.test.ts",
    test: "take turns, a range each"
  },
  {
    name: "the attempts of one fence count for the next",
    file: "publish/WritePartition.ts",
    find: `      this.#fenceAttempts = 0
      this.fences++`,
    replace: `      this.fences++`,
    foundBy: "publish/WritePartition.test.ts",
    test: "has its own attempts"
  },
  {
    name: "failing behind another is an attempt",
    file: "publish/WritePartition.ts",
    find: `isBehind: isBehind || isPassedOver,`,
    replace: `isBehind: isPassedOver,`,
    foundBy: "publish/WritePartition.test.ts",
    test: "their failure is no attempt"
  },
  {
    name: "a lane that halts is told of for each of its ranges",
    file: "publish/WritePartition.ts",
    find: `if (lane.halted !== halted) this`,
    replace: `if (lane.halted !== undefined) this`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are told of once when they halt"
  },
  {
    name: "a partition that broke down is told of when something is offered",
    file: "publish/Pump.ts",
    find: `if (partition.halted === undefined) this.schedule(partition)
      partition.halted`,
    replace: `partition.halted`,
    foundBy: "publish/closing.test.ts",
    test: "says so although nothing more is offered"
  },
  {
    name: "a sink that stores nothing is told again for every failure",
    file: "publish/Standstills.ts",
    find: `if (this.#told.has(home)) return
    const trouble`,
    replace: `const trouble`,
    foundBy: "publish/standstills.test.ts",
    test: "is told once while one of its partitions fails all the time"
  },
  {
    name: "a sink stores again when one of its partitions does",
    file: "publish/Standstills.ts",
    find: `    if (Array.from(troubles).some(([number, one]) => this.#isOpen(home, number, one))) return
`,
    replace: ``,
    foundBy: "publish/standstills.test.ts",
    test: "before all of them store"
  },
  {
    name: "a send without an answer is no trouble",
    file: "publish/Pump.ts",
    find: `>= standstillMs) this.#fails`,
    replace: `>= 100 * standstillMs) this.#fails`,
    foundBy: "publish/standstills.test.ts",
    test: "does not answer at all"
  },
  {
    name: "what is stored ends no trouble",
    file: "publish/Pump.ts",
    find: `sending.runs?.some(isStored) === true)`,
    replace: `sending.runs?.every(isStored) === false)`,
    foundBy: "publish/standstills.test.ts",
    test: "once after ten seconds"
  },
  {
    name: "a sink to which nothing was sent is said to have stored nothing",
    file: "publish/Standstills.ts",
    find: `const sinceMs = isSame ? before.sinceMs : sentAtMs`,
    replace: `const sinceMs = before?.sinceMs ?? sentAtMs`,
    foundBy: "publish/standstills.test.ts",
    test: "an hour apart"
  },
  {
    name: "a partition that cannot be fenced is no trouble",
    file: "publish/Pump.ts",
    find: `if (failure !== undefined) this.#fails(`,
    replace: `if (failure?.tag === "") this.#fails(`,
    foundBy: "publish/standstills.test.ts",
    test: "cannot be fenced"
  },
  {
    name: "a partition whose events were given up stands until a quarter of an hour has passed",
    file: "publish/Standstills.ts",
    find: `    return !home.isIdle(partition)`,
    replace: `    return true`,
    foundBy: "publish/standstills.test.ts",
    test: "is over two minutes after what stood was given up"
  },
  {
    name: "what is given up each time is told each time",
    file: "publish/Standstills.ts",
    find: `this.#nowMs() - one.toldMs > tellAgainMs)`,
    replace: `this.#nowMs() >= one.toldMs)`,
    foundBy: "publish/standstills.test.ts",
    test: "is told at most each ten minutes"
  },
  {
    name: "what waits minutes for its next try is taken for given up",
    file: "publish/Sink.ts",
    find: `lane.partition.partition !== partition || lane.isEmpty)`,
    replace: `lane.partition.partition !== partition || !lane.isEmpty || lane.isEmpty)`,
    foundBy: "publish/standstills.test.ts",
    test: "is told once where its policy waits for minutes"
  }
]
