/** Members of the groups of a story: they take time, fail now and then, join and leave. */
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { type DeliveryInfo, RecordDelivery } from "../../consume/DeliveryInfo.ts"
import { formatEventId } from "../../record/EventId.ts"
import type { EventStream } from "../../Stream.ts"
import { type Handling, placeName } from "../judge/Chronicle.ts"
import type { Mischief } from "./Mischief.ts"
import type { StoryNote } from "./storyNotes.ts"
import { serialOf, type Teller, textOf } from "./Teller.ts"
import type { WorldGroup } from "./World.ts"
import { TaggedError } from "../../given/TaggedError.ts"

/** A member that runs. */
export interface Member {
  readonly group: WorldGroup
  readonly teller: Teller
  /** Ends it; waits for that. */
  readonly leave: Effect.Effect<void>
}

class Planted extends TaggedError("Planted")<{}> {}
class Poison extends TaggedError("Poison")<{}> {}

interface Joining {
  readonly group: WorldGroup
  readonly teller: Teller
  readonly mischief: Mischief
  /** Its number, over all groups. */
  readonly member: number
}

/** Joins the group; undefined when the leat is closing. */
export const join = Effect.fnUntraced(function* (joining: Joining) {
  const { group, teller } = joining
  const stream = yield* teller.stream(group.stream)
  if (stream === undefined || teller.isClosing) return undefined
  const scope = yield* Scope.make()
  const leave = Scope.close(scope, Exit.void)
  if (group.api === "subscribe") {
    const consuming = yield* Effect.forkIn(consume(joining, stream), scope)
    yield* Scope.addFinalizer(scope, Fiber.interrupt(consuming))
    return { group, teller, leave }
  }
  const started = group.api === "handle" ? handle(joining, stream) : handleBatch(joining, stream)
  yield* Scope.provide(started, scope)
  return { group, teller, leave }
})

function handle(joining: Joining, stream: EventStream<StoryNote>) {
  return stream.handle(joining.group.group, (note, info) => {
    // When it is called: its fiber may give way before it does something.
    const isTakenBack = isTakenFrom(info)
    return work(joining, () => [begin(joining, note, info, { isTakenBack })])
  })
}

function handleBatch(joining: Joining, stream: EventStream<StoryNote>) {
  return stream.handleBatch(
    joining.group.group,
    (deliveries) => {
      const taken = deliveries.map(({ info }) => isTakenFrom(info))
      return work(joining, () => {
        const at = joining.teller.chronicle.tick()
        const isAlone = deliveries.length === 1
        return deliveries.map(({ event, info }, index) =>
          begin(joining, event, info, { at, isAlone, isTakenBack: taken[index] === true })
        )
      })
    },
    { records: 5 }
  )
}

/** Takes deliveries itself and says of each when it is done. */
function consume(joining: Joining, stream: EventStream<StoryNote>): Effect.Effect<void> {
  return stream.subscribe(joining.group.group).pipe(
    Stream.runForEach(({ event, info, done, fail }) => {
      const isTakenBack = isTakenFrom(info)
      return work(joining, () => [begin(joining, event, info, { isTakenBack })]).pipe(
        Effect.matchEffect({ onSuccess: () => done, onFailure: ({ _tag }) => fail(_tag) })
      )
    }),
    // Told by what was not handled, if it ever happens.
    Effect.orDie
  )
}

function isPoison({ group, mischief }: Joining, serial: number | undefined): boolean {
  return group.retryDelaysMs === undefined ? mischief.isPoison(serial) : mischief.failsForNow(group.group, serial)
}

/** What has begun ends, also where it is interrupted before its first step. */
function work(joining: Joining, begun: () => ReadonlyArray<Handling>) {
  const { chronicle } = joining.teller
  return Effect.acquireUseRelease(
    Effect.sync(begun),
    (handlings) => worked(joining, handlings),
    (handlings) =>
      Effect.sync(() => {
        const at = chronicle.tick()
        for (const handling of handlings) handling.endedAt = at
      })
  )
}

function worked(joining: Joining, handlings: ReadonlyArray<Handling>) {
  const { group, mischief, teller } = joining
  return Effect.gen(function* () {
    // A process that is dead does nothing.
    if (teller.isCrashed) return yield* Effect.never
    if (mischief.random() < 0.4) yield* Effect.sleep(Math.floor(mischief.random() * 20))
    if (mischief.strikes("handler", teller.index, { lane: handlings[0] })) return yield* new Planted()
    const poison = group.ending === "retry" ? [] : handlings.filter(({ serial }) => isPoison(joining, serial))
    for (const handling of poison) handling.isPoison = true
    if (poison.length > 0) return yield* new Poison()
    if (teller.isCrashed) return yield* Effect.never
    for (const handling of handlings) handling.isDone = true
  })
}

/** What a consumer has in his hands may be taken back before he looks at it. */
function isTakenFrom(info: DeliveryInfo): boolean {
  return info.signal.aborted && !(info instanceof RecordDelivery && info.isTaken)
}

function begin(
  { group, teller, member }: Joining,
  { key, text }: StoryNote,
  info: DeliveryInfo,
  {
    at,
    isAlone = true,
    isTakenBack
  }: { readonly at?: number; readonly isAlone?: boolean; readonly isTakenBack: boolean }
): Handling {
  const { chronicle } = teller
  const { id, topic, partition, position } = info
  const serial = serialOf(text)
  const handling: Handling = {
    group: group.group,
    member,
    key,
    id: id === undefined ? undefined : formatEventId(id),
    // Another text than that of its serial is no event of the story.
    serial: serial !== undefined && text === textOf(serial, text.length) ? serial : undefined,
    topic,
    partition,
    position,
    isAlone,
    beganAt: at ?? chronicle.tick(),
    endedAt: undefined,
    isDone: false,
    isPoison: false,
    isTakenBack,
    moved: chronicle.pulledMoves.get(placeName(group.group, info)),
    wall: teller.wall.wallTime
  }
  if (!teller.isCrashed) chronicle.handlings.push(handling)
  return handling
}
