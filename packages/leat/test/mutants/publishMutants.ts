import type { Mutant } from "./Mutant.ts"

export const publishMutants: ReadonlyArray<Mutant> = [
  {
    name: "events without order begin in the first bucket in each process",
    file: "publish/Publisher.ts",
    find: `(Number.parseInt(incarnation.slice(-8), 16) % contract.buckets) * unorderedRun`,
    replace: `0`,
    foundBy: "publish/unordered.test.ts",
    test: "begin all over the buckets"
  },
  {
    name: "an answer after an abort that nobody was told of is thrown away",
    file: "promise/untilAborted.ts",
    find: `if (isAborted()) return abort()`,
    replace: `if (isAborted()) return`,
    foundBy: "promise/stoppedSignals.test.ts",
    test: "although"
  },
  {
    name: "what a list holds is read when there is room for it",
    file: "publish/PublishingAll.ts",
    find: `if (isThere(this.#given)) this.#events`,
    replace: `if (!isThere(this.#given)) this.#events`,
    foundBy: "promise/handedOver.test.ts",
    test: "though it is emptied while it waits"
  },
  {
    name: "a publishAll that waits reads the context of its caller again",
    file: "publish/PublishingAll.ts",
    find: `this.#context = keptContext(this.#context)`,
    replace: ``,
    foundBy: "promise/handedOver.test.ts",
    test: "the context that it was called with"
  },
  {
    name: "the headers of a publishAll that waits are the caller's",
    file: "publish/keptContext.ts",
    find: `isBytes(value) ? new Uint8Array(value) : value`,
    replace: `value`,
    foundBy: "promise/handedOver.test.ts",
    test: "the context that it was called with"
  },
  {
    name: "an iterator that gives no results goes on for ever",
    file: "publish/PublishingAll.ts",
    find: `if (isObject(step)) return step`,
    replace: `if (isObject(step) || this.#index < 100_000) return step`,
    foundBy: "promise/handedOver.test.ts",
    test: "in place of a result"
  },
  {
    name: "an array of twenty thousand events gives way",
    file: "publish/PublishingAll.ts",
    find: `Array.isArray(events) ? Number.POSITIVE_INFINITY : eventsPerTurn`,
    replace: `16_384`,
    foundBy: "promise/publishing.test.ts",
    test: "before what is published later"
  },
  {
    name: "an iterable goes on in the async context of whoever makes room for it",
    file: "publish/PublishingAll.ts",
    find: `wait.told = AsyncResource.bind((told: Admission, fault: string) => {
      this.#wait = undefined
      this.#note(index, told, fault)
      if (this.#finished !== undefined) this.#next()
    }, "leat.publishAll")`,
    replace: `wait.told = (told: Admission, fault: string) => {
      this.#wait = undefined
      this.#note(index, told, fault)
      if (this.#finished !== undefined) this.#next()
    }`,
    foundBy: "worlds"
  },
  {
    name: "who waits for a leg that a table makes best-effort waits on",
    file: "publish/Publisher.ts",
    find: `for (const wait of this.#waiting ?? []) wait.requires(same.map(({ sink }) => sink))`,
    replace: ``,
    foundBy: "publish/waiting.test.ts",
    test: "makes best-effort"
  },
  {
    name: "who waited for a leg that a table makes best-effort goes behind who is later",
    file: "publish/WaitForRoom.ts",
    find: `    this.#sink = first
    from.waiting.leave(this)
    first.waiting.join(this)
    first.waiting.freed()`,
    replace: `    from.waiting.freed()`,
    foundBy: "publish/waiting.test.ts",
    test: "makes best-effort"
  },
  {
    name: "who waits for room is passed by whoever comes",
    file: "publish/RoomQueue.ts",
    find: `return first !== undefined && first.ticket < ticket`,
    replace: `return first !== undefined && first.ticket < ticket - ticket`,
    foundBy: "publish/waiting.test.ts",
    test: "is not overtaken by offers"
  },
  {
    name: "who leaves the head of the line wakes nobody",
    file: "publish/RoomQueue.ts",
    find: `else if (wasFirst) this.freed()`,
    replace: `else if (!wasFirst) this.freed()`,
    foundBy: "publish/RoomQueue.test.ts",
    test: "lets the next look for itself when the first gives"
  },
  {
    name: "the line is served once for ever",
    file: "publish/RoomQueue.ts",
    find: `      this.#isScheduled = false
      this.#serve()`,
    replace: `      this.#serve()`,
    foundBy: "publish/waiting.test.ts",
    test: "is served first, on any schedule"
  },
  {
    name: "the time-out of the first in line is the time-out of all",
    file: "publish/RoomQueue.ts",
    find: `if (this.#line.length > 0 && this.#alarm === undefined) this.#arm()`,
    replace: `if (this.#line.length > 1 && this.#alarm === undefined) this.#arm()`,
    foundBy: "publish/RoomQueue.test.ts",
    test: "rings each at its time"
  },
  {
    name: "an option of a publish that nobody knows is passed over",
    file: "publish/contextFault.ts",
    find: `if (!known.has(name))`,
    replace: `if (!known.has(name) && name === "")`,
    foundBy: "publish/oddEvents.test.ts",
    test: "is rejected, and nothing is thrown: 31"
  },
  {
    name: "an event that waits keeps views of the next one's value",
    file: "publish/Draft.ts",
    find: `Buffer.from(this.#value.subarray(0, this.valueLength)))`,
    replace: `this.#value.subarray(0, this.valueLength) as Buffer)`,
    foundBy: "publish/waiting.test.ts",
    test: "is served first, on any schedule"
  },
  {
    name: "an event that waits takes the key of the last one offered",
    file: "publish/Draft.ts",
    find: `if (this.#key !== undefined) keyBytes.set(this.#key)`,
    replace: `if (this.#key === undefined) return`,
    foundBy: "worlds"
  },
  {
    name: "the encoder begins where the last event ended",
    file: "publish/Draft.ts",
    find: `    writer.pos = 0
    contract.encodeInto`,
    replace: `    if (writer.pos > 64) writer.pos = 0
    contract.encodeInto`,
    foundBy: "worlds"
  },
  {
    name: "an event of publishAll that was rejected later counts as admitted",
    file: "publish/PublishingAll.ts",
    find: `      this.#note(index, told, fault)
      if (this.#finished !== undefined)`,
    replace: `      this.admitted++
      void fault
      if (this.#finished !== undefined)`,
    foundBy: "publish/waiting.test.ts",
    test: "is one time-out for a whole publishAll"
  },
  {
    name: "publishAll leaves out the event behind one that waited",
    file: "publish/PublishingAll.ts",
    find: `if (this.#finished !== undefined) this.#next()`,
    replace: `this.#events.next()
      if (this.#finished !== undefined) this.#next()`,
    foundBy: "publish/waiting.test.ts",
    test: "is one time-out for a whole publishAll"
  },
  {
    name: "publishAll that was given up goes on waiting",
    file: "publish/PublishingAll.ts",
    find: `this.#wait?.giveUp()`,
    replace: `void this.#wait`,
    foundBy: "publish/waiting.test.ts",
    test: "publishAll that is given up"
  },
  {
    name: "buckets that begin at one place share their sequences",
    file: "publish/Sequences.ts",
    find: `while (table[at] !== bucket && table[at + 1] !== 0) at`,
    replace: `while (table[at] === -1 && table[at + 1] !== 0) at`,
    foundBy: "publish/Sequences.test.ts",
    test: "rise by one in each bucket"
  },
  {
    name: "one that waited is told interrupted, and stored",
    file: "publish/WaitForRoom.ts",
    find: `    if (sink === undefined) return
    this.#sink = undefined
    sink.waiting.leave(this)`,
    replace: `    if (sink === undefined) return
    if (told.admitted || told.reason !== "interrupted") {
      this.#sink = undefined
      sink.waiting.leave(this)
    }`,
    foundBy: "publish/waiting.test.ts",
    test: "it is admitted or told interrupted, and never both"
  },
  {
    name: "one that waits for a second sink stays in the line of the first",
    file: "publish/WaitForRoom.ts",
    find: `    this.#sink?.waiting.leave(this)
    this.#sink = next`,
    replace: `    this.#sink = next`,
    foundBy: "publish/WaitForRoom.test.ts",
    test: "stands in one line at a time"
  },
  {
    name: "publish at the level stored does not wait for it",
    file: "publish/Publishing.ts",
    find: `if (level === "queued") return Effect.succeed(published)`,
    replace: `if (level !== "durable") return Effect.succeed(published)`,
    foundBy: "publish/publishing.test.ts",
    test: "stored leaves 0 pending"
  },
  {
    name: "each event that is rejected has an error of its own",
    file: "publish/Publishing.ts",
    find: `if (last?.reason !== told.reason || last.detail !== fault) last =`,
    replace: `last =`,
    foundBy: "publish/publishing.test.ts",
    test: "one error tells each reason"
  },
  {
    name: "events are rejected for the reason of the first",
    file: "publish/Publishing.ts",
    find: `if (last?.reason !== told.reason || last.detail !== fault) last =`,
    replace: `last ??=`,
    foundBy: "publish/publishing.test.ts",
    test: "one error tells each reason"
  },
  {
    name: "what a policy dropped is told stored",
    file: "publish/Publishing.ts",
    find: `isEmpty(outcome.dropped) && isEmpty`,
    replace: `isEmpty`,
    foundBy: "publish/publishing.test.ts",
    test: "and publish fails with it"
  },
  {
    name: "a publish that is interrupted goes on waiting in line",
    file: "publish/Publishing.ts",
    find: `      told.told = answer
      return Effect.sync(() => told.giveUp())`,
    replace: `      told.told = answer
      return undefined`,
    foundBy: "publish/waiting.test.ts",
    test: "at any step: nobody is left waiting"
  },
  {
    name: "a best-effort leg without room rejects the event",
    file: "publish/Publisher.ts",
    find: `if (!outlet.isRequired || !takes(outlet, bucket)) continue`,
    replace: `if (!takes(outlet, bucket)) continue`,
    foundBy: "publish/publishing.test.ts",
    test: "that are not required lose what they cannot take"
  },
  {
    name: "a full second leg is not asked before the first is written",
    file: "publish/Publisher.ts",
    find: `if (sink.waiting.isHeld(ticket) || !outlet.lanes.hasRoom(partitionOf(bucket, outlet), bytes)) this.#full = sink`,
    replace: `if (outlet === this.#outlets[0] && !outlet.lanes.hasRoom(partitionOf(bucket, outlet), bytes)) this.#full = sink`,
    foundBy: "publish/waiting.test.ts",
    test: "waits for the second, when"
  },
  {
    name: "waiting is never counted down",
    file: "publish/OfferCount.ts",
    find: `    this.#account.waiting--
    this.#answered(admission)`,
    replace: `    this.#answered(admission)`,
    foundBy: "worlds"
  },
  {
    name: "an event is stamped with the time of the one before it for ever",
    file: "publish/TurnClock.ts",
    find: `      this.#isReset = true
      this.#events = eventsMax`,
    replace: `      this.#isReset = true`,
    foundBy: "publish/TurnClock.test.ts",
    test: "is read once in a turn, and again in the next"
  },
  {
    name: "the first of two waiters for one outcome is forgotten",
    file: "ledger/Waiter.ts",
    find: `new Set([this.#done, done])`,
    replace: `new Set([done])`,
    foundBy: "ledger/Waiter.test.ts",
    test: "once and when the last leg has ended"
  },
  {
    name: "who asks for an outcome no longer is kept until there is one",
    file: "publish/flushed.ts",
    find: `return Effect.sync(() => waiter.forget(scheduled))`,
    replace: `return Effect.void`,
    foundBy: "growth.test.ts",
    test: "of a event is asked for in vain"
  },
  {
    name: "a batch keeps who has given up waiting for it",
    file: "record/RecordBatch.ts",
    find: `if (this.#awaited.some((one) => one.waiter.isForgotten))`,
    replace: `if (this.#awaited.length < 0)`,
    foundBy: "growth.test.ts",
    test: "of a leat is asked for in vain"
  },
  {
    name: "a waiter is told before its last leg has ended",
    file: "ledger/Waiter.ts",
    find: `if (this.pending > 0) return`,
    replace: `if (this.pending > 1) return`,
    foundBy: "ledger/Waiter.test.ts",
    test: "once and when the last leg has ended"
  },
  {
    name: "a sink is opened while the last one of its name closes",
    file: "publish/Shared.ts",
    find: `before === undefined ? open : Effect.andThen(Deferred.await(before), open)`,
    replace: `open`,
    foundBy: "opening.test.ts",
    test: "by the first of two, at whichever step"
  },
  {
    name: "a best-effort leg does not hold the sink that another stream has open",
    file: "publish/Sinks.ts",
    find: `if (this.find(request.leg) !== undefined) return restore(this.#join(request, scope, opened))`,
    replace: `if (this.find(request.leg) !== undefined) return Effect.sync(opened)`,
    foundBy: "opening.test.ts",
    test: "leaves a best-effort leg of another stream the sink"
  },
  {
    name: "a best-effort sink opens with the settings that it was first asked for with",
    file: "publish/Sinks.ts",
    find: `this.#requests.get(request.leg.sink) ?? request`,
    replace: `request`,
    foundBy: "opening.test.ts",
    test: "opens with the settings of the table in force"
  },
  {
    name: "a stream is forgotten with the first who gives up waiting for it",
    file: "Leat.ts",
    find: `if (--asked.callers > 0 || this`,
    replace: `if (this`,
    foundBy: "opening.test.ts",
    test: "is known while others wait"
  },
  {
    name: "a stream that has closed again is given to whoever asks for it",
    file: "Leat.ts",
    find: `if (opened !== undefined) this.#streams.delete(stream)`,
    replace: ``,
    foundBy: "opening.test.ts",
    test: "by the only caller"
  },
  {
    name: "a stream that may close again is given away",
    file: "Leat.ts",
    find: `this.#kept.streams.has(stream) && !this.isClosing`,
    replace: `!this.isClosing`,
    foundBy: "opening.test.ts",
    test: "by the first of two"
  },
  {
    name: "a ledger store that gives no answer is waited for",
    file: "transport/Announcer.ts",
    find: `const patience = Duration.seconds(10)`,
    replace: `const patience = Duration.hours(2)`,
    foundBy: "publish/closing.test.ts",
    test: "neither opens nor closes for ever with a ledger"
  },
  {
    name: "that a ledger cannot be announced is said at every announcement",
    file: "transport/Announcer.ts",
    find: `const isNew = why !== this.#told`,
    replace: `const isNew = why !== ""`,
    foundBy: "publish/closing.test.ts",
    test: "says once that its ledger cannot be announced"
  },
  {
    name: "an announcement is saved while an older one is",
    file: "transport/Announcer.ts",
    find: `Effect.andThen(this.#answer, this.#save(store, isClosed))`,
    replace: `this.#save(store, isClosed)`,
    foundBy: "publish/closing.test.ts",
    test: "neither opens nor closes for ever with a ledger"
  },
  {
    name: "what a ledger store does to itself ends who asks it",
    file: "given/effectTrouble.ts",
    find: `(fiber) => Fiber.await(fiber)`,
    replace: `(fiber) => Effect.map(Fiber.join(fiber), Exit.succeed)`,
    foundBy: "publish/closing.test.ts",
    test: "goes on announcing, and closes"
  },
  {
    name: "reasons are counted among the members of an object",
    file: "ledger/Counts.ts",
    find: `Object.create(noMembers as object)`,
    replace: `{}`,
    foundBy: "ledger/reasons.test.ts",
    test: "of a handler"
  },
  {
    name: "who is put before others in a line takes the place of one of them",
    file: "publish/Fifo.ts",
    find: `this.#ring[(this.#first + at) & last] = this.at(at - 1)`,
    replace: `void last`,
    foundBy: "publish/Fifo.test.ts",
    test: "does what an array does"
  },
  {
    name: "a line that is longer than its storage forgets its first",
    file: "publish/Fifo.ts",
    find: `(_, index) => this.at(index))`,
    replace: `(_, index) => this.at(index + 1))`,
    foundBy: "publish/Fifo.test.ts",
    test: "does what an array does"
  },
  {
    name: "who leaves a line in the middle leaves a gap",
    file: "publish/Fifo.ts",
    find: `for (; at < this.#length - 1; at++)`,
    replace: `for (; at < this.#length - 2; at++)`,
    foundBy: "publish/Fifo.test.ts",
    test: "does what an array does"
  },
  {
    name: "an event is offered that was made when its caller had given up",
    file: "publish/PublishingAll.ts",
    find: `if (this.#finished === undefined || isGivenUp?.() === true) {`,
    replace: `if (this.#index < 0) {`,
    foundBy: "promise/publishing.test.ts",
    test: "gives up: what was told by then stays true"
  },
  {
    name: "an event is offered that was made when its caller had given up before it waited",
    file: "publish/PublishingAll.ts",
    find: ` || isGivenUp?.() === true) {`,
    replace: `) {`,
    foundBy: "promise/publishing.test.ts",
    test: "gives up before it has waited"
  },
  {
    name: "a call that is given up while it begins resolves as if nobody had",
    file: "promise/untilAborted.ts",
    find: `(value) => answered(() => resolve(value))`,
    replace: `(value) => {
        settle()
        resolve(value)
      }`,
    foundBy: "promise/publishing.test.ts",
    test: "hears whoever makes the last event give up"
  },
  {
    name: "a driver that lets nothing be on its way is opened",
    file: "routes/openCluster.ts",
    find: `Number.isInteger(pipeline) && pipeline >= 1`,
    replace: `pipeline >= 0`,
    foundBy: "publish/brokenDrivers.test.ts",
    test: "opens no cluster: { pipeline: 0 }"
  },
  {
    name: "a topic has fewer partitions than none",
    file: "routes/partitionFault.ts",
    find: `Number.isInteger(partitions) && partitions >= 1`,
    replace: `Number.isInteger(partitions)`,
    foundBy: "publish/brokenDrivers.test.ts",
    test: "as partitions opens no stream: 0"
  },
  {
    name: "a partition that halts is told again with every turn",
    file: "publish/haltNotices.ts",
    find: `partition.toldHalt = partition.halted`,
    replace: `void partition.toldHalt`,
    foundBy: "publish/closing.test.ts",
    test: "by its fence says so once, and again after a resume"
  },
  {
    name: "a lane of a sink that halts tells nobody",
    file: "publish/WritePartition.ts",
    find: `if (lane.halted !== halted) this.haltedLanes.push(lane)`,
    replace: `void this.haltedLanes`,
    foundBy: "publish/closing.test.ts",
    test: "by its policy says so once, and again after a resume"
  },
  {
    name: "a publish at the level durable is taken by a cluster in memory",
    file: "publish/Publisher.ts",
    find: `this.#notDurable !== undefined && waiter?.isForDurable === true`,
    replace: `false`,
    foundBy: "publish/levels.test.ts",
    test: "is rejected by publish, and nothing is stored"
  },
  {
    name: "whoever waits for room at the level durable is not asked about again",
    file: "publish/Publisher.ts",
    find: `waiter?.isForDurable === true`,
    replace: `waiter?.isForDurable === true && ticket === noTicket`,
    foundBy: "publish/levels.test.ts",
    test: "when its turn comes"
  },
  {
    name: "a publishAll at the level durable is taken by a cluster in memory",
    file: "publish/Publishing.ts",
    find: `new Waiter(level === "durable")`,
    replace: `new Waiter()`,
    foundBy: "publish/levels.test.ts",
    test: "rejected by publishAll"
  },
  {
    name: "a publish of promises at the level durable is taken by a cluster in memory",
    file: "publish/Publishing.ts",
    find: `new Published(this, level === "durable")
    const call`,
    replace: `new Published(this, false)
    const call`,
    foundBy: "publish/levels.test.ts",
    test: "at the door of promises"
  },
  {
    name: "a partition to which nothing is sent any more keeps the next outage from being told",
    file: "publish/Standstills.ts",
    find: `    troubles.delete(partition)
    this.#forgetOld(home)
`,
    replace: `    troubles.delete(partition)
`,
    foundBy: "publish/standstills.test.ts",
    test: "is over when another partition stores"
  },
  {
    name: "what was told once is told no more",
    file: "publish/Standstills.ts",
    find: `if (isAnother && troubles.size === 1) this.#told.delete(home)`,
    replace: `void isAnother`,
    foundBy: "publish/standstills.test.ts",
    test: "is told again when it begins again"
  },
  {
    name: "publishAll takes from an endless iterable although the leat is closed",
    file: "publish/PublishingAll.ts",
    find: `        if (this.#isOver) return this.#leave()
`,
    replace: ``,
    foundBy: "promise/publishing.test.ts",
    test: "ends when the leat is closed: nothing more"
  },
  {
    name: "publishAll takes another event behind one that waited until the leat was closed",
    file: "publish/PublishingAll.ts",
    find: `    if (this.#isOver) return this.#leave()
    const`,
    replace: `    const`,
    foundBy: "promise/publishing.test.ts",
    test: "ends when the leat is closed while an event of it waits"
  },
  {
    name: "publishAll leaves out the events of an array behind the first that is closed",
    file: "publish/PublishingAll.ts",
    find: `told.reason === "closed" && this.#perTurn < Number.POSITIVE_INFINITY`,
    replace: `told.reason === "closed"`,
    foundBy: "promise/publishing.test.ts",
    test: "lists each event of an array"
  }
]
