/** Stories of a whole world, through the front door: told, ended well, read back and judged. */
import { Clock, Effect, Fiber, Option, References, Tracer } from "effect"
import { Chronicle, type GroupFact, type Verdict } from "../judge/Chronicle.ts"
import { judge } from "../judge/judge.ts"
import { deadLetterTopics, retryTopic } from "../../record/DeadLetter.ts"
import { seededRandom } from "../seededRandom.ts"
import { Disks } from "./Disks.ts"
import { awayForAWhile, disturb } from "./disturb.ts"
import { joinParty, type Party, resumeAll } from "./party.ts"
import { emptyDisks, leaveDisk, leaveToOne } from "./diskEndings.ts"
import { endGroup, within } from "./endings.ts"
import { emptyFallbacks } from "./fallbackEndings.ts"
import { placesRead } from "./fallbackPlaces.ts"
import { Mischief } from "./Mischief.ts"
import { Occasions } from "./Occasions.ts"
import { statesOf, type Whose } from "./statesOf.ts"
import { joinAfterwards, readBack } from "./readBack.ts"
import { readLetters } from "./readLetters.ts"
import { audit } from "./audit.ts"
import { readUndelivered } from "./readUndelivered.ts"
import type { Stage } from "./Scenario.ts"
import { beginCalling, openTeller } from "./processes.ts"
import type { Teller } from "./Teller.ts"
import { WallClock } from "./WallClock.ts"
import type { World } from "./World.ts"
import { isMirror, sinkOf } from "./worldRoutes.ts"
import { waitUntil } from "../waitUntil.ts"

/** What became of a story. */
export interface Told {
  /** Everything that is wrong; empty when nothing is. */
  readonly verdicts: ReadonlyArray<Verdict>
  /** Which mishaps there were, and in which states. */
  readonly occasions: ReadonlyMap<string, number>
  /** The facts. */
  readonly chronicle: Chronicle
}

/** How long what only announces drops may be on its way at the end, in milliseconds. */
const markersMs = 120_000

/**
 * Tells the story of a world, one stage for each of its clusters. Fails when a stage cannot be opened or read back.
 *
 * @example
 * ```ts
 * const stages = [stageOf(new MemoryBroker({ partitions: 2 })), stageOf(new MemoryBroker({ partitions: 2 }))]
 * const { exit } = simulate(42, tellWorld(stages, drawWorld(42)), { racing: 0.02 })
 * ```
 */
export const tellWorld = Effect.fnUntraced(
  function* (stages: ReadonlyArray<Stage>, world: World) {
    const wall = new WallClock(yield* Clock.Clock)
    const spans = new Set<string>()
    const told = Effect.gen(function* () {
      const party = yield* open(stages, world, wall)
      yield* play(stages, party)
      return party
    }).pipe(Effect.provideService(Clock.Clock, wall))
    const { chronicle, occasions } = yield* world.isTraced
      ? Effect.provideService(told, Tracer.Tracer, tracerOf(spans))
      : told
    for (const name of spans) chronicle.notice("leaked", `a span has no end: ${name}`)
    return { verdicts: judge(chronicle), occasions: occasions.reached, chronicle } satisfies Told
  },
  Effect.scoped,
  Effect.provideService(References.MinimumLogLevel, "None")
)

/** Keeps in `open` the names of the spans that have not ended. */
function tracerOf(open: Set<string>): Tracer.Tracer {
  let count = 0
  return Tracer.make({
    span: (options) => {
      const name = `${count++} ${options.name}`
      open.add(name)
      const span = new Tracer.NativeSpan(options)
      const end = span.end.bind(span)
      span.end = (endTime, exit) => {
        open.delete(name)
        end(endTime, exit)
      }
      return span
    }
  })
}

const open = Effect.fnUntraced(function* (stages: ReadonlyArray<Stage>, world: World, wall: WallClock) {
  const chronicle = new Chronicle()
  const occasions = new Occasions()
  const random = seededRandom(world.seed)
  const tellers: Array<Teller> = []
  const stateOf = (index: number, whose?: Whose) => {
    const teller = tellers[index]
    return teller === undefined ? [] : statesOf(teller.leat, teller, whose)
  }
  const mischief = new Mischief({ world, random, occasions, chronicle, statesOf: stateOf })
  for (const { stream, isOrdered, legs } of world.streams)
    chronicle.streams.push({
      stream,
      isOrdered,
      sinks: legs.map(sinkOf),
      required: legs.filter((leg) => leg.isRequired && !isMirror(leg)).map(sinkOf),
      mirrors: legs.filter(isMirror).map((leg) => ({ sink: sinkOf(leg), isRequired: leg.isRequired }))
    })
  const several = { members: [], calling: [], crashing: [], replaying: [], outcomes: [], memberCount: 0, serial: 0 }
  for (const leg of world.streams.flatMap(({ legs }) => legs))
    if (leg.fallback !== undefined)
      chronicle.fallbacks.set(sinkOf(leg), { sink: sinkOf(leg), back: leg.fallback.back, given: 0 })
  const own = { world, stages, wall, disks: new Disks(world) }
  const party: Party = { ...own, chronicle, occasions, mischief, tellers, ...several }
  for (let index = 0; index < world.leats; index++) yield* openTeller(party)
  return party
})

const play = Effect.fnUntraced(function* (stages: ReadonlyArray<Stage>, party: Party) {
  const { world, chronicle, tellers, mischief, outcomes } = party
  const first = tellers.slice()
  for (const group of world.groups)
    for (let index = 0; index < group.members; index++) yield* joinParty(party, group, first[index % first.length])
  for (const teller of first) yield* beginCalling(party, teller, world.calls)
  const isAboutOutages = world.focus?.state === "spilled" || world.focus?.state === "fellBack"
  if (isAboutOutages) for (const teller of first) yield* awayForAWhile(party, teller)
  if (world.disk?.isShared === true) yield* Effect.forkScoped(leaveDisk(party))
  const disturbing = yield* Effect.forkScoped(disturb(party))
  const calls = allCalls(party)
  const isDone = yield* Effect.timeoutOption(calls, "2 minutes")
  yield* Effect.sleep(retryingMs(world))
  yield* Fiber.interrupt(disturbing)
  mischief.isOver = true
  if (Option.isNone(isDone)) yield* within(party, "the calls", resuming(party, calls))
  yield* bringToEnd(party)
  yield* within(party, "what was waited for", Fiber.awaitAll(outcomes))
  // What is still on its way lands, or is refused.
  yield* Effect.sleep(world.msMax + (world.slow?.ms ?? 0))
  const transports = yield* Effect.forEach(stages, ({ reader }) => reader)
  for (const group of chronicle.groups) {
    const stream = world.streams.findIndex((one) => one.stream === group.stream)
    for (const { cluster, topic: read } of yield* placesRead(world, { stream }, transports)) {
      const transport = transports[cluster]
      if (transport !== undefined)
        for (const topic of topicsOf(read, group))
          yield* joinAfterwards(chronicle, group.group, topic, transport, mischief.mayRepeat)
    }
  }
  yield* readBack(chronicle, world, transports)
  yield* readLetters(chronicle, world, transports)
  yield* readUndelivered(chronicle, world, transports)
  yield* audit(chronicle, world, transports)
  // A process that has crashed hears of no answer, and its fibers leave a driver alone after a minute at most: they are no part of the world. What is
  // armed after that is a leak.
  if (tellers.some(({ isCrashed }) => isCrashed)) yield* Effect.sleep("2 minutes")
})

/** What a group reads. */
function topicsOf(topic: string, { group, delaysMs = [] }: GroupFact): ReadonlyArray<string> {
  const retries = delaysMs.map((_, index) => retryTopic(topic, group, index + 1))
  return [topic, deadLetterTopics(topic, group).replays, ...retries]
}

/** Time that the story goes on for what is to be tried again, while everything goes wrong that can, in milliseconds. */
function retryingMs({ groups }: World): number {
  const all = groups.map(({ retryDelaysMs = [] }) => retryDelaysMs.reduce((sum, ms) => sum + ms, 0))
  return Math.max(0, ...all) * 1.2
}

/** Until every caller has made its calls, those of processes that came later too. */
function allCalls(party: Party): Effect.Effect<unknown> {
  return Effect.suspend(() => {
    const { length } = party.calling
    const all = Fiber.awaitAll(party.calling.map(({ fiber }) => fiber))
    return Effect.flatMap(all, () => (party.calling.length > length ? allCalls(party) : Effect.void))
  })
}

/** Waits, and lets go on what halts meanwhile: a letter that is refused late halts its lane. */
function resuming(party: Party, waited: Effect.Effect<unknown>): Effect.Effect<unknown> {
  const again = Effect.forever(Effect.delay(resumeAll(party), 1000))
  return Effect.raceFirst(Effect.andThen(resumeAll(party), waited), again)
}

/** Brings everything to its end, each part within its time. */
const bringToEnd = Effect.fnUntraced(function* (party: Party) {
  const { world, chronicle, tellers, members } = party
  yield* Fiber.awaitAll(party.crashing)
  yield* resumeAll(party)
  yield* leaveToOne(party)
  const running = tellers.filter(({ isClosing }) => !isClosing)
  yield* within(
    party,
    "a flush",
    resuming(
      party,
      Effect.forEach(running, ({ leat }) => leat.flush, { discard: true })
    )
  )
  // A leat that closes goes on sending what it holds.
  const closing = tellers.filter(({ isClosing }) => isClosing)
  yield* within(
    party,
    "a close",
    Effect.forEach(closing, ({ close }) => close, { discard: true })
  )
  yield* emptyDisks(party)
  yield* emptyFallbacks(party)
  yield* within(party, "a replay", Fiber.awaitAll(party.replaying.map(({ fiber }) => fiber)))
  for (const group of world.groups) yield* endGroup(party, group)
  const staying = tellers.filter(({ isClosing }) => !isClosing)
  const isHeld = () => staying.some(({ leat }) => leat.sinks().some(({ bufferedBytes }) => bufferedBytes > 0))
  // A flush waits for no marker.
  if (isHeld())
    yield* Effect.ignore(
      waitUntil(
        "the buffers are empty",
        Effect.sync(() => !isHeld()),
        { withinMs: markersMs }
      )
    )
  for (const { leat, index, isClosing } of tellers)
    for (const { sink, bufferedBytes } of isClosing ? [] : leat.sinks())
      if (bufferedBytes > 0) chronicle.notice("leaked", `leat ${index} holds ${bufferedBytes} bytes for ${sink}, empty`)
  yield* within(
    party,
    "a member",
    Effect.forEach(members.splice(0), ({ leave }) => leave, { discard: true })
  )
  yield* within(
    party,
    "a close",
    Effect.forEach(tellers, ({ close }) => close, { concurrency: "unbounded", discard: true })
  )
  for (const teller of tellers) teller.keepBooks()
})
