import type { Mutant } from "./Mutant.ts"

export const consumeMutants: ReadonlyArray<Mutant> = [
  {
    name: "a getter of an option that throws throws out of handle",
    file: "given/ownOptions.ts",
    find: `return Result.fail({ path, message: \`cannot be read: \${textOfThrown(thrown)}\` })`,
    replace: `throw thrown`,
    foundBy: "promise/ownOptions.test.ts",
    test: "that throws is a fault"
  },
  {
    name: "a policy that was given is the caller's",
    file: "consume/ownHandleOptions.ts",
    find: `Object.assign({}, own, copies)`,
    replace: `Object.assign({}, own, copies.length)`,
    foundBy: "promise/ownOptions.test.ts",
    test: "a policy is the one that was given"
  },
  {
    name: "a tag that objects have a member of has a stage of its own",
    file: "consume/deadLetterOf.ts",
    find: `stages.get(tag) ?? "handle"`,
    replace: `Object.fromEntries(stages)[tag] ?? "handle"`,
    foundBy: "consume/ownBytes.test.ts",
    test: "says that its handler failed"
  },
  {
    name: "who waits for a group of a leat that is closed hears of its transport",
    file: "consume/CatchingUp.ts",
    find: `          yield* this.#endedOrHalted
          return yield* Effect.failCause(answer.cause)`,
    replace: `          return yield* Effect.failCause(answer.cause)`,
    foundBy: "consume/closedTransport.test.ts",
    test: "of a leat that is closed"
  },
  {
    name: "a handler gets the key of its batch, and not one of its own",
    file: "consume/DeliveryInfo.ts",
    find: `given.key = key === null ? null : new Uint8Array(key)`,
    replace: `given.key = key`,
    foundBy: "consume/ownBytes.test.ts",
    test: "bytes of a key"
  },
  {
    name: "a handler gets the headers of its batch, and not some of its own",
    file: "consume/DeliveryInfo.ts",
    find: `given.headers ??= ownHeaders(headers)`,
    replace: `given.headers ??= headers`,
    foundBy: "consume/ownBytes.test.ts",
    test: "in no retry and in no dead letter"
  },
  {
    name: "each copy behind a record that waits is held by itself",
    file: "consume/HeldRecord.ts",
    find: `held?.ended?.term === term`,
    replace: `held?.ended?.term === "dropped"`,
    foundBy: "consume/ReadLane.test.ts",
    test: "is held as one where it ends alike"
  },
  {
    name: "what ends at once is held for nothing",
    file: "consume/ReadLane.ts",
    find: `this.#heldBytes += held.bytes`,
    replace: ``,
    foundBy: "consume/ReadLane.test.ts",
    test: "counts for the bytes that a lane may hold"
  },
  {
    name: "a crash loop is retried as any failure",
    file: "Policy.ts",
    find: `failure.tag === "CrashLoop" && isLimited(rule.retry) ? undefined : rule.retry`,
    replace: `rule.retry`,
    foundBy: "consume/ReadLane.test.ts",
    test: "is not tried again where its retries are counted"
  },
  {
    name: "a lane hears of its revocation only by pulling",
    file: "consume/LaneShell.ts",
    find: `this.#fork(this.#guarded(this.#pull)), this.#fork(this.#guarded(this.#listen))]`,
    replace: `this.#fork(this.#guarded(this.#pull)), this.#fork(Effect.void)]`,
    foundBy: "consume/revocation.test.ts",
    test: "while it is halted is handed over at once"
  },
  {
    name: "a lane that is given back is not settled once more",
    file: "consume/LaneShell.ts",
    find: `    this.#settleDue(this.#now(), true)
    return true`,
    replace: `    return true`,
    foundBy: "consume/laneEnds.test.ts",
    test: "is settled at its end"
  },
  {
    name: "a lane is released while its handlers run",
    file: "consume/LaneShell.ts",
    find: `if (machine.isRevoked && isOver) return`,
    replace: `if (machine.isRevoked || (machine.isRevoked && isOver)) return`,
    foundBy: "consume/revocation.test.ts",
    test: "lets its handlers end"
  },
  {
    name: "a settle that failed for a passing reason loses the lane",
    file: "consume/LaneShell.ts",
    find: `if (Option.isSome(error) && error.value.isRetryable) return`,
    replace: `if (Option.isSome(error) && error.value.isRetryable && position < 0n) return`,
    foundBy: "consume/settling.test.ts",
    test: "keeps its lane when a settle fails"
  },
  {
    name: "a handler that fails is taken for one that was interrupted",
    file: "consume/Handling.ts",
    find: `    if (!isInterruption) {`,
    replace: `    if (Exit.isSuccess(exit)) {`,
    foundBy: "consume/consuming.test.ts",
    test: "halts where no rule matches, says why"
  },
  {
    name: "a batch leaves out its last event",
    file: "consume/Handling.ts",
    find: `const call = () => handler.onEvents(events)`,
    replace: `const call = () => handler.onEvents(events.length > 1 ? events.slice(0, -1) : events)`,
    foundBy: "worlds"
  },
  {
    name: "cutting a bundle loses the records behind the cut",
    file: "consume/HeldRecord.ts",
    find: `const rest = left === length ? following :`,
    replace: `const rest = left <= length ? following :`,
    foundBy: "consume/ReadLane.test.ts",
    test: "is followed by what stood behind the cut"
  },
  {
    name: "what came behind a bundle that was cut is lost",
    file: "consume/ReadLane.ts",
    find: `this.#lastOfKey.set(held.key, following)`,
    replace: `void following`,
    foundBy: "consume/ReadLane.test.ts",
    test: "later records join"
  },
  {
    name: "what a lane has handled stays on the heap",
    file: "consume/ReadLane.ts",
    find: `if (this.#head > 256 && this.#head * 2 > this.#held.length) {`,
    replace: `if (this.#head > this.#held.length) {`,
    foundBy: "consume/longLanes.test.ts",
    test: "with never less than 100 left"
  },
  {
    name: "an empty batch of columns takes the end of the lane back",
    file: "consume/ReadLane.ts",
    find: `else if (records.length > 0) this.#holdAll`,
    replace: `else this.#holdAll`,
    foundBy: "consume/readModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "a concurrency that is no number is taken",
    file: "consume/handleFaults.ts",
    find: `Number.isInteger(value) && value >= least && value <= most`,
    replace: `!(value < least || value > most)`,
    foundBy: "consume/endings.test.ts",
    test: "{ concurrency: NaN } are refused"
  },
  {
    name: "a best-effort leg that is away drops without being told",
    file: "publish/ClosedLeg.ts",
    find: `this.drops.add(bucket, seq, reason)`,
    replace: `void this.drops`,
    foundBy: "opening.test.ts",
    test: "opens its stream without it"
  },
  {
    name: "a receipt has the id of the event before",
    file: "publish/Published.ts",
    find: `seq: this.#seq }`,
    replace: `seq: Math.max(0, this.#seq - 1) }`,
    foundBy: "worlds"
  },
  {
    name: "who takes deliveries by hand is not told that the subscription failed",
    file: "consume/Consuming.ts",
    find: `Queue.failCauseUnsafe(queue, exit.cause)`,
    replace: `void exit`,
    foundBy: "consume/endings.test.ts",
    test: "fails its stream of deliveries with the error"
  },
  {
    name: "deliveries that were taken back are handed out",
    file: "consume/pullOf.ts",
    find: `if (!isHis(exit.value.delivery)) continue`,
    replace: `isHis(exit.value.delivery)`,
    foundBy: "consume/revocation.test.ts",
    test: "are not handed out any more once their lane was taken away"
  },
  {
    name: "the document wins over what was said in code",
    file: "consume/Consuming.ts",
    find: `concurrency: concurrency ?? settings.concurrency,`,
    replace: `concurrency: settings.concurrency,`,
    foundBy: "consume/settling.test.ts",
    test: "runs as many handlers as its options say"
  },
  {
    name: "positions that go back are taken for those that came before",
    file: "consume/ReadLane.ts",
    find: `if (records.length > 0 && records.position(0) < this.#end) return false`,
    replace: `if (records.length > 0 && records.position(records.length - 1) < this.#end) return true`,
    foundBy: "consume/ReadLane.test.ts",
    test: "are another log: nothing of the batch is taken"
  },
  {
    name: "another log is read on in the old stay",
    file: "consume/LaneShell.ts",
    find: `if (machine.received(batch)) continue`,
    replace: `if (machine.received(batch) || !machine.isRevoked) continue`,
    foundBy: "consume/endings.test.ts",
    test: "is read from its beginning, and said to be another"
  },
  {
    name: "a group of any name may be asked for",
    file: "consume/handleFaults.ts",
    find: `if (wrongName !== undefined) found`,
    replace: `if (wrongName === "") found`,
    foundBy: "consume/endings.test.ts",
    test: "is refused in one sentence, whoever is asked"
  },
  {
    name: "what cannot be traced is not done",
    file: "Telemetry.ts",
    find: `(hasBegun ? Effect.failCause(cause) : effect)`,
    replace: `Effect.failCause(cause)`,
    foundBy: "brokenObservers.test.ts",
    test: "when a span of process is made"
  },
  {
    name: "a span that cannot be ended is how the handler ended",
    file: "Telemetry.ts",
    find: `ended ?? (hasBegun`,
    replace: `(hasBegun`,
    foundBy: "brokenObservers.test.ts",
    test: "when a span of process is ended changes nothing"
  },
  {
    name: "a logger that throws ends what wanted to tell something",
    file: "Telemetry.ts",
    find: `const plain = Effect.catchDefect(Effect.logWarning(sentence), () => Effect.void)`,
    replace: `const plain = Effect.logWarning(sentence)`,
    foundBy: "brokenObservers.test.ts",
    test: "keeps no subscription from joining again"
  },
  {
    name: "a stack that cannot be read hides its warning",
    file: "Telemetry.ts",
    find: `Cause.fail(error)), () => plain)`,
    replace: `Cause.fail(error)), () => Effect.void)`,
    foundBy: "consume/toldLetters.test.ts",
    test: "that cannot be read hides no warning"
  },
  {
    name: "a halt is told without what its handler failed with",
    file: "consume/LaneShell.ts",
    find: `Telemetry.warn(text, error)`,
    replace: `Telemetry.warn(text)`,
    foundBy: "consume/toldLetters.test.ts",
    test: "comes with the warning of a halt"
  },
  {
    name: "a halt prints the stack of its handler",
    file: "consume/Failure.ts",
    find: `value: error, enumerable: false`,
    replace: `value: error, enumerable: true`,
    foundBy: "consume/toldLetters.test.ts",
    test: "comes with the warning of a halt"
  },
  {
    name: "an outage is told without its cause",
    file: "consume/Source.ts",
    find: `if (!isOutage || last === undefined)`,
    replace: `if (isOutage || last === undefined)`,
    foundBy: "consume/toldLetters.test.ts",
    test: "is named by the warning of an outage"
  },
  {
    name: "each dead letter is a line of the log",
    file: "LetterTeller.ts",
    find: `if (this.#waiting === undefined) return`,
    replace: `if (this.#last === undefined) return`,
    foundBy: "consume/toldLetters.test.ts",
    test: "says in one line how many more"
  },
  {
    name: "after five quiet minutes the next dead letter is told as late as others",
    file: "LetterTeller.ts",
    find: `      if (isMore) this.#wait()
`,
    replace: `      this.#wait()
`,
    foundBy: "consume/toldLetters.test.ts",
    test: "says in one line how many more"
  },
  {
    name: "dead letters that were not told yet are never told when their group ends",
    file: "LetterTeller.ts",
    find: `    this.#tellMore("since")
`,
    replace: ``,
    foundBy: "consume/toldLetters.test.ts",
    test: "says what was not said yet when it ends"
  },
  {
    name: "a line of dead letters names every failure there was",
    file: "LetterTeller.ts",
    find: `const tagsMax = 4`,
    replace: `const tagsMax = 1000`,
    foundBy: "consume/toldLetters.test.ts",
    test: "has a bound for the names"
  },
  {
    name: "what publishers set aside is told by nobody",
    file: "publish/Undelivered.ts",
    find: `        if (fault === undefined) this.#tell(partition, failure)
        faults`,
    replace: `        faults`,
    foundBy: "publish/deadLetters.test.ts",
    test: "is told at once, and how many more"
  },
  {
    name: "of two leats of a process metrics show the one that was opened last",
    file: "ledger/pulled.ts",
    find: `if (found instanceof Reading) found.add(of)
    else registry`,
    replace: `registry`,
    foundBy: "Telemetry.test.ts",
    test: "are summed over the leats of a process"
  },
  {
    name: "a counter goes back when one of several leats closes",
    file: "ledger/pulled.ts",
    find: `this.#ended += this.#kind.read(of)`,
    replace: `this.#ended += 0`,
    foundBy: "Telemetry.test.ts",
    test: "of what a leat stores and drops while it closes"
  },
  {
    name: "a group that begins at the end has all that was there before as its lag",
    file: "consume/CatchingUp.ts",
    find: `const from = settled ?? begin ?? start`,
    replace: `const from = settled ?? start`,
    foundBy: "consume/settling.test.ts",
    test: "of a group that begins at the end has no lag in"
  },
  {
    name: "what retention took away counts as lag",
    file: "consume/CatchingUp.ts",
    find: `from < start || from > end ? start : from`,
    replace: `from > end ? start : from`,
    foundBy: "consume/settling.test.ts",
    test: "does not count as lag what is not there"
  },
  {
    name: "what retention has taken from a group is told to nobody",
    file: "consume/GapTeller.ts",
    find: `nowMs < this.#toldAtMs + againMs`,
    replace: `nowMs >= 0`,
    foundBy: "consume/gaps.test.ts",
    test: "is told of once a minute"
  },
  {
    name: "a lane tells of halts alone",
    file: "consume/LaneTeller.ts",
    find: `this.#gaps.tell(skipped, nowMs)`,
    replace: `this.#gaps.tell({}, nowMs + Object.keys(skipped).length)`,
    foundBy: "consume/gaps.test.ts",
    test: "is told of once a minute"
  },
  {
    name: "each gap of a group that is behind is a line of its own",
    file: "consume/GapTeller.ts",
    find: `nowMs < this.#toldAtMs + againMs`,
    replace: `nowMs < this.#toldAtMs`,
    foundBy: "consume/gaps.test.ts",
    test: "is told of once a minute"
  },
  {
    name: "a lane that halts tells nobody",
    file: "consume/HaltTeller.ts",
    find: `      if (before.has(halt)) continue`,
    replace: `      if (!before.has(halt)) continue`,
    foundBy: "consume/endings.test.ts",
    test: "says so once, and again when it halts again after a"
  },
  {
    name: "a subscription begins in a leat that is closed",
    file: "consume/Consuming.ts",
    find: `if (this.#parts.scope.state._tag === "Closed") return`,
    replace: `if (this.#parts.scope.state._tag !== "Closed" && group === "") return`,
    foundBy: "consume/endings.test.ts",
    test: "is refused, and told why"
  },
  {
    name: "in a crash loop the next record begins before the one before it is settled",
    file: "consume/ReadLane.ts",
    find: `(this.running > 0 || this.watermark > this.#settled)`,
    replace: `this.running > 0`,
    foundBy: "consume/ReadLane.test.ts",
    test: "is the one that the policy is asked about"
  },
  {
    name: "a crash loop is handled alone for one record only",
    file: "consume/ReadLane.ts",
    find: `this.#aloneLeft -= Number(position - this.#settled)`,
    replace: `this.#aloneLeft = 0`,
    foundBy: "consume/readModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "records of a crash loop wait for settleEvery, each of them",
    file: "consume/ReadLane.ts",
    find: `this.#settledAtMs = Number.NEGATIVE_INFINITY
    }`,
    replace: `}`,
    foundBy: "consume/readModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "handlers are interrupted only once the settle before has been answered",
    file: "consume/LaneShell.ts",
    find: `haveEnded()`,
    replace: `yield* this.#settleFinally(giveUpAtMs)`,
    foundBy: "consume/slowSettles.test.ts",
    test: "leaves handlers on a lane that was revoked the time"
  },
  {
    name: "the counter of what was consumed goes back when a lane is handed over",
    file: "ledger/pulled.ts",
    find: `Math.max(this.#most, value)`,
    replace: `value`,
    foundBy: "Telemetry.test.ts",
    test: "of what was consumed do not go back"
  },
  {
    name: "a lane with two holders shows what is pending at one of them",
    file: "ledger/GroupAccount.ts",
    find: `parked: earlier.parked + later.parked`,
    replace: `parked: later.parked`,
    foundBy: "ledger/lanes.test.ts",
    test: "adds up while one holder still ends and the next"
  },
  {
    name: "of two lanes of a partition the one whose fiber begins later is the newer one",
    file: "consume/Source.ts",
    find: `Stream.runForEach((lane) => this.#holdLane(lane, drainMs, membership)),`,
    replace: `Stream.runForEach((lane) => Effect.forkIn(this.#holdLane(lane, drainMs, membership), membership)),`,
    foundBy: "consume/lostLanes.test.ts",
    test: "of two lanes of a partition that come at once"
  },
  {
    name: "a lane that is full does not say so",
    file: "consume/ReadLane.ts",
    find: `return this.#heldBytes >= this.#settings.bufferBytesMax ? this.watermark : undefined`,
    replace: `return undefined`,
    foundBy: "consume/consuming.test.ts",
    test: "tells which position holds a full lane back"
  },
  {
    name: "what is held for long keeps the whole batch that it came in",
    file: "consume/ReadLane.ts",
    find: `if (this.#bundling !== undefined) return
    for`,
    replace: `if (this.#options !== undefined) return
    for`,
    foundBy: "consume/ReadLane.test.ts",
    test: "keeps its own bytes"
  },
  {
    name: "what comes behind a record that is held for long keeps the whole batch that it came in",
    file: "consume/ReadLane.ts",
    find: `if (last.isOwn) held.own()`,
    replace: ``,
    foundBy: "consume/ReadLane.test.ts",
    test: "keeps its own bytes"
  },
  {
    name: "a lane breaks over what is held for long and cannot be read",
    file: "consume/HeldRecord.ts",
    find: `    } catch {
      // What cannot be read stays as it came: whoever handles it is told why.
    }`,
    replace: `    } finally {
    }`,
    foundBy: "consume/ReadLane.test.ts",
    test: "stays as it came where it cannot be read"
  },
  {
    name: "looks for a group's own topics keep a process",
    file: "consume/SideTopics.ts",
    find: `this.#wake.idleFor(lookMs)`,
    replace: `this.#wake.waitFor(lookMs)`,
    foundBy: "promise/processEnd.test.ts",
    test: "is no look of a subscription now and then: SideTopics"
  },
  {
    name: "looks for what fell back keep a process",
    file: "consume/FallbackTopics.ts",
    find: `this.#wake.idleFor(lookMs)`,
    replace: `this.#wake.waitFor(lookMs)`,
    foundBy: "promise/processEnd.test.ts",
    test: "is no look of a subscription now and then: FallbackTopics"
  },
  {
    name: "an inbox keeps a process",
    file: "consume/forgetIds.ts",
    find: `yield* idleSleep(`,
    replace: `void idleSleep
    yield* Effect.sleep(`,
    foundBy: "promise/processEnd.test.ts",
    test: "is no look of a subscription now and then: inbox"
  }
]
