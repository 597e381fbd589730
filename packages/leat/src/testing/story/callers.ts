/** Callers of a story: what they ask for, and what they were told. */
import { AsyncLocalStorage } from "node:async_hooks"
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import protobuf from "protobufjs/minimal.js"
import { NotStored, Rejected, type RejectReason } from "../../publish/Admission.ts"
import type { Level, Receipt } from "../../publish/Receipt.ts"
import { formatEventId } from "../../record/EventId.ts"
import type { EventContext } from "../../record/ContextHeaders.ts"
import type { EventStream } from "../../Stream.ts"
import type { Call, Said } from "../judge/Chronicle.ts"
import type { Mischief } from "./Mischief.ts"
import { type StoryNote, storyNotes } from "./storyNotes.ts"
import { sumOf, type Teller, textOf } from "./Teller.ts"
import { one, textBytes, type World, type WorldStream } from "./World.ts"
import { sinkOf } from "./worldRoutes.ts"

/** What the callers of a leat share. */
export interface Callers {
  readonly world: World
  readonly teller: Teller
  readonly mischief: Mischief
  /** Calls of each caller. */
  readonly calls: number
  /** The next serial, over all callers. */
  readonly serial: () => number
  /** How many looks in a row have found room in every required leg of a stream, by its index. */
  readonly roomSeen: Map<number, number>
  /** What has to end before the story does. */
  readonly outcomes: Array<Fiber.Fiber<unknown>>
}

/** How long a caller puts off opening a stream, in milliseconds, where a story is after a state for it. */
const openingLooks = 80

/** Steps after which whoever gives up waiting for a stream does so, at most: more than it takes to open one. */
const impatientSteps = 80

/** Looks that have to have found room before a time-out is wrong. */
const looksMin = 25

/** What a call is told whose level is reached. */
const saidBy = { queued: "admitted", durable: "durable", stored: "stored" } as const

/** Of the caller of a `publishAll`: what it has begun. */
const asyncContext = new AsyncLocalStorage<unknown>()

interface Asked {
  readonly stream: EventStream<StoryNote>
  readonly fact: WorldStream
  readonly index: number
}

/** One caller: one call after another. */
export const caller = Effect.fnUntraced(function* (callers: Callers) {
  const { world, teller, mischief } = callers
  const { random } = mischief
  // Who has a stream keeps it, and may go on calling when the leat is closed.
  const opened = new Map<number, EventStream<StoryNote>>()
  for (let call = 0; call < callers.calls; call++) {
    const index = Math.floor(random() * world.streams.length)
    const fact = world.streams[index]
    const known = teller.leat.ledger.snapshot().streams.some(({ stream }) => stream === fact?.stream)
    if (!known) {
      for (let look = 0; look < openingLooks && mischief.isTooEarly("openStream", teller.index); look++)
        yield* Effect.sleep(1)
      mischief.happened("openStream", teller.index)
      if (random() < 0.5) yield* impatient(callers, index)
    }
    const stream = opened.get(index) ?? (yield* teller.stream(index))
    if (stream === undefined || fact === undefined) continue
    opened.set(index, stream)
    const asked = { stream, fact, index }
    const drawn = random()
    if (drawn < 0.3) offer(callers, asked)
    else if (drawn < 0.38) tombstone(callers, asked)
    else if (drawn < 0.8) yield* publish(callers, asked)
    else if (drawn < 0.95) yield* publishAll(callers, asked)
    else yield* Effect.sleep(Math.floor(random() * 40))
    if (random() < 0.4) yield* Effect.sleep(Math.floor(random() * 10))
  }
})

/** Somebody else who asks for the stream, and gives up at some step. */
const impatient = Effect.fnUntraced(function* ({ teller, mischief }: Callers, index: number) {
  const opening = yield* Effect.forkChild(teller.stream(index))
  for (let steps = Math.floor(mischief.random() * impatientSteps); steps > 0; steps--) yield* Effect.yieldNow
  yield* Effect.forkChild(Fiber.interrupt(opening))
})

/** Draws an event and begins its call. */
function begin({ world, teller, mischief, serial }: Callers, { fact }: Asked, api: Call["api"]) {
  const { random } = mischief
  const number = serial()
  const isInvalid = api !== "tombstone" && mischief.strikes("invalid", teller.index)
  const bytes = mischief.strikes("tooLarge", teller.index) ? 25_000 : one(random, textBytes)
  if (bytes > 20_000) mischief.happened("tooLarge", teller.index)
  const text = isInvalid ? `${number.toString(36)}.invalid` : textOf(number, bytes)
  const note = { key: `k${Math.floor(random() * world.keys)}`, text }
  if (!isInvalid && mischief.strikes("poison", teller.index)) mischief.poison(number)
  // What a whole `publishAll` carries is not of one event.
  const isTold = api === "tombstone" || (api !== "publishAll" && random() < 0.3)
  const headers = api !== "publishAll" && random() < 0.3 ? ([["own", Buffer.from(`${number}`)]] as const) : []
  const context: EventContext = { ...(isTold ? { correlationId: number.toString(36) } : {}), headers }
  const correlation = isTold ? ([["ce_correlationid", Buffer.from(number.toString(36))]] as const) : []
  const call = teller.chronicle.begin({
    serial: number,
    leat: teller.index,
    stream: fact.stream,
    api,
    key: note.key,
    value: api === "tombstone" ? null : encoded(note),
    headers: [...correlation, ...headers]
  })
  return { note, context, call, bytes }
}

function encoded(note: StoryNote): Uint8Array {
  const writer = protobuf.Writer.create()
  storyNotes.encodeInto(note, writer)
  return writer.finish()
}

function offer(callers: Callers, asked: Asked): void {
  const { note, context, call, bytes } = begin(callers, asked, "offer")
  const told = asked.stream.offer(note, context)
  if (told.admitted) end(callers, call, "admitted", asked.stream.lastId)
  else {
    noteRoom(callers, asked, call, bytes, told.reason)
    end(callers, call, told.reason, undefined)
  }
}

function tombstone(callers: Callers, asked: Asked): void {
  const { note, context, call } = begin(callers, asked, "tombstone")
  const told = asked.stream.offerTombstone(note.key, context)
  end(callers, call, told.admitted ? "admitted" : told.reason, told.admitted ? asked.stream.lastId : undefined)
}

const publish = Effect.fnUntraced(function* (callers: Callers, asked: Asked) {
  const { mischief, teller } = callers
  const level = one<Level>(mischief.random, ["queued", "durable", "stored"])
  let begun: ReturnType<typeof begin> | undefined
  const asking = Effect.suspend(() => {
    const { note, context, call, bytes } = (begun = begin(callers, asked, "publish"))
    // Now, because the caller looks at its answer later, when buffers may have emptied.
    const noted = (error: Rejected | NotStored) =>
      Effect.sync(() => {
        if (error instanceof Rejected) noteRoom(callers, asked, call, bytes, error.reason)
      })
    return Effect.tapError(asked.stream.publish(note, { ...context, level }), noted)
  })
  const exit = yield* asking.pipe(impatiently(mischief, teller.index))
  if (begun === undefined) return
  const { call } = begun
  if (Exit.isSuccess(exit)) {
    end(callers, call, saidBy[level], exit.value.id)
    callers.outcomes.push(yield* Effect.forkDetach(outcomeOf(callers, asked, call, exit.value)))
    return
  }
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  if (error instanceof NotStored) end(callers, call, "notStored", error.id)
  else if (error instanceof Rejected) end(callers, call, error.reason, undefined)
  else gone(callers, call, exit)
})

const publishAll = Effect.fnUntraced(function* (callers: Callers, asked: Asked) {
  const { mischief, teller } = callers
  const level = one<Level>(mischief.random, ["queued", "stored"])
  const begun: Array<ReturnType<typeof begin>> = []
  const count = 1 + Math.floor(mischief.random() * 6)
  function* events() {
    while (begun.length < count) {
      if (asyncContext.getStore() !== begun)
        teller.chronicle.notice("toldWrongly", "an iterable goes on in the async context of another caller")
      const next = begin(callers, asked, "publishAll")
      begun.push(next)
      yield next.note
    }
  }
  const asking = Effect.suspend(() => {
    asyncContext.enterWith(begun)
    return asked.stream.publishAll(events(), { level })
  })
  const exit = yield* asking.pipe(impatiently(mischief, teller.index))
  const rejected = new Map(Exit.isSuccess(exit) ? exit.value.rejected.map(({ index, error }) => [index, error]) : [])
  for (const [index, { call }] of begun.entries()) {
    const reason = rejected.get(index)?.reason
    if (!Exit.isSuccess(exit)) gone(callers, call, exit)
    else if (reason === undefined) end(callers, call, saidBy[level], undefined)
    else end(callers, call, reason, undefined)
  }
})

/** Gives up now and then, in the middle of whatever it is. */
function impatiently(mischief: Mischief, leat: number) {
  return <A, E>(asking: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(asking)
      const steps = Math.floor(mischief.random() * 30)
      for (let step = 0; step < steps && fiber.pollUnsafe() === undefined; step++) {
        if (mischief.strikes("interrupt", leat)) yield* Fiber.interrupt(fiber)
        yield* step % 3 === 0 ? Effect.sleep(Math.floor(mischief.random() * 8)) : Effect.yieldNow
      }
      return yield* Fiber.await(fiber)
    })
}

/** What an outcome says is what the journal says. */
function outcomeOf({ teller }: Callers, { fact }: Asked, call: Call, receipt: Receipt): Effect.Effect<void> {
  return Effect.map(receipt.outcome, ({ stored, fellBack, deadLettered, dropped, spilled }) => {
    if (teller.isCrashed) return
    const { chronicle, index } = teller
    const id = formatEventId(receipt.id)
    const places = fact.legs
      .filter(({ isRequired }) => isRequired)
      .map((leg) => chronicle.legs.get(`${index} ${sinkOf(leg)} ${id}`)?.place)
    const told = { stored, fellBack, deadLettered: sumOf(deadLettered), dropped: sumOf(dropped), spilled }
    const inJournal = (place: keyof typeof told) => places.filter((found) => found === place).length
    // What another process has sent on and settled meanwhile is not in the journal of this one.
    const isTaken = fact.legs.some((leg) => chronicle.ownersOf({ leat: index, sink: sinkOf(leg) }) > 1)
    const taken = isTaken ? inJournal("spilled") - spilled : 0
    const isSo = (place: keyof typeof told) => {
      const more = told[place] - inJournal(place)
      return place === "spilled" ? more === -taken : more >= 0 && more <= taken
    }
    if (!(["stored", "fellBack", "deadLettered", "dropped", "spilled"] as const).every(isSo))
      chronicle.notice("toldWrongly", `the outcome of event ${call.serial} is ${JSON.stringify(told)}`)
  })
}

function gone({ teller }: Callers, call: Call, exit: Exit.Exit<unknown, unknown>): void {
  if (teller.isCrashed) return
  if (Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    teller.chronicle.notice("toldWrongly", `the ${call.api} of event ${call.serial} died: ${Cause.pretty(exit.cause)}`)
  teller.chronicle.end(call, "gone")
}

/** Notes that there was room for an event that is rejected for want of it. Whoever stands in line goes first. */
function noteRoom({ teller, roomSeen }: Callers, asked: Asked, call: Call, bytes: number, reason: RejectReason): void {
  const isLine = teller.leat.ledger.snapshot().streams.some((row) => row.stream === call.stream && row.waiting > 0)
  const isLong = reason === "timeout" && (roomSeen.get(asked.index) ?? 0) > looksMin
  const isWrong = isLong || ((reason === "overflow" || reason === "buffersFull") && !isLine)
  if (isWrong && hasRoom(teller, asked.fact, bytes)) call.room = "at most an eighth of each buffer was in use"
}

/** Whether every required leg of a stream has so much room that no event of this size may be refused. */
export function hasRoom({ leat }: Teller, { legs }: WorldStream, bytes: number): boolean {
  const fills = new Map(leat.sinks().map((fill) => [fill.sink, fill]))
  return legs
    .filter(({ isRequired }) => isRequired)
    .every((leg) => {
      const fill = fills.get(sinkOf(leg))
      if (fill === undefined) return false
      // Its share of a bound over all buffers is its own, whatever the others hold.
      const eighth = Math.min(fill.bufferBytesMax, fill.shareBytes ?? fill.bufferBytesMax) / 8
      return fill.bufferedBytes <= eighth && bytes + 1024 <= eighth
    })
}

function end({ teller }: Callers, call: Call, said: Said, id: EventStream<StoryNote>["lastId"]): void {
  if (teller.isCrashed) return
  teller.chronicle.end(call, said, id === undefined ? undefined : formatEventId(id))
}
