/**
 * Calls of a driver that can be left. Its client may not let itself be interrupted (what acquires a connection does not), and may never answer:
 * whoever has waited long enough goes on all the same. What such a call opens later is closed at once, for its scope has ended.
 *
 * `send` and `fence` are not among them: nothing else may be sent while one of these runs. Neither are a lane's `batches`, of which each pull
 * would cost a fiber; who leaves a lane gives it back with `released`.
 */
import { type Array as Arr, type Cause, Clock, Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { textOfThrown } from "../given/thrown.ts"
import { warn } from "../Telemetry.ts"
import { monotonicMs } from "../Wake.ts"
import { type Lane, type Transport, TransportError } from "./index.ts"

/** Calls of one kind that were left and have not ended, until the next one waits: a driver that never answers must not hold ever more. */
const leftMax = 3

/** For how long it waits, unless one of them ends, in milliseconds; twice as long each time. Then it is made all the same: the cluster may be well again. */
const pauseMs = 60_000
const pauseMsMax = 3_600_000

/** How long a call that is interrupted is waited for, in milliseconds. */
const graceMs = 1000

/** Calls of one kind that were left. */
interface Left {
  readonly fibers: Set<Fiber.Fiber<unknown, unknown>>
  /** Completed, and made anew, when one of them ends. */
  ended: Deferred.Deferred<void>
  pauseMs: number
  /** When one more may be made, in milliseconds of the monotonic clock; undefined: nobody waits. */
  nextMs: number | undefined
  /** Whether one has been answered since the last was left: those that never end keep nobody then. */
  isWell: boolean
}

class LeavableCalls {
  readonly #left = new Map<string, Left>()
  readonly #name: string

  /** `name`: whose they are, for warnings. */
  constructor(name: string) {
    this.#name = name
  }

  /** `kind`: the operation and what it is about. */
  call<A, E, R>(kind: string, call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const left = this.#left.get(kind)
      if (left === undefined || isFree(left)) return this.#begin(kind, call)
      return Effect.andThen(this.#turn(kind, left), this.#begin(kind, call))
    })
  }

  /** Until one of those that were left has ended, or it is time to make one more. */
  #turn(kind: string, left: Left): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const clock = yield* Clock.Clock
      if (left.nextMs === undefined) {
        left.nextMs = monotonicMs(clock) + left.pauseMs
        yield* warn(
          `the driver of ${this.#name} has left ${leftMax} calls without an answer (${kind}): the next one waits until one of them ends, or for ${left.pauseMs / 1000} seconds`
        )
      }
      while (!isFree(left)) {
        const waitMs = (left.nextMs ?? 0) - monotonicMs(clock)
        if (waitMs <= 0) {
          left.pauseMs = Math.min(left.pauseMs * 2, pauseMsMax)
          left.nextMs = monotonicMs(clock) + left.pauseMs
          return
        }
        yield* Effect.timeoutOption(Deferred.await(left.ended), waitMs)
      }
    })
  }

  /** Begins something that lasts until its scope ends. */
  serve<E, R>(kind: string, serving: Effect.Effect<void, E, R>) {
    const turn = Effect.suspend(() => {
      const left = this.#left.get(kind)
      return left === undefined || isFree(left) ? Effect.void : this.#turn(kind, left)
    })
    const begun = Effect.acquireRelease(Effect.forkDetach(serving, { startImmediately: true }), (fiber) =>
      this.leave(kind, fiber)
    )
    return Effect.andThen(turn, begun)
  }

  #begin<A, E, R>(kind: string, call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      // At once: what ends without waiting has ended then.
      Effect.flatMap(Effect.forkDetach(call, { startImmediately: true }), (fiber) => {
        const ended = fiber.pollUnsafe()
        if (ended !== undefined) {
          this.answered(kind)
          return ended
        }
        fiber.addObserver(() => this.answered(kind))
        return Effect.onInterrupt(restore(Fiber.join(fiber)), () => this.leave(kind, fiber))
      })
    )
  }

  /** Something of this kind has ended, so the driver answers again. */
  answered(kind: string): void {
    const left = this.#left.get(kind)
    if (left === undefined || left.isWell) return
    left.isWell = true
    left.pauseMs = pauseMs
    left.nextMs = undefined
    this.#wake(left)
  }

  /** What lets itself be interrupted is waited for until it has ended: it is not left. */
  leave(kind: string, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      fiber.interruptUnsafe()
      // A stream is left in its pull, and once more when it is over.
      if (fiber.pollUnsafe() !== undefined || this.#left.get(kind)?.fibers.has(fiber) === true) return Effect.void
      return Effect.map(Effect.timeoutOption(Fiber.await(fiber), graceMs), () => this.#leftBehind(kind, fiber))
    })
  }

  #leftBehind(kind: string, fiber: Fiber.Fiber<unknown, unknown>): void {
    const left = this.#left.get(kind) ?? {
      fibers: new Set(),
      ended: Deferred.makeUnsafe<void>(),
      pauseMs,
      nextMs: undefined,
      isWell: false
    }
    if (fiber.pollUnsafe() !== undefined) return
    this.#left.set(kind, left)
    left.fibers.add(fiber)
    left.isWell = false
    fiber.addObserver(() => this.#ended(kind, left, fiber))
  }

  #ended(kind: string, left: Left, fiber: Fiber.Fiber<unknown, unknown>): void {
    left.fibers.delete(fiber)
    if (left.fibers.size < leftMax) left.nextMs = undefined
    if (left.fibers.size === 0 && this.#left.get(kind) === left) this.#left.delete(kind)
    this.#wake(left)
  }

  #wake(left: Left): void {
    const { ended } = left
    left.ended = Deferred.makeUnsafe<void>()
    Deferred.doneUnsafe(ended, Exit.void)
  }
}

function isFree({ fibers, isWell }: Left): boolean {
  return isWell || fibers.size < leftMax
}

/** The transport of a driver, whose calls can be left, and fail where the driver breaks. */
export function leavableTransport(transport: Transport): Transport {
  const calls = new LeavableCalls(transport.name)
  const { name, capabilities, topics, groups, trim } = transport
  /** What it breaks with may pass, as what nobody knows. */
  const broken = (operation: string) => (defect: unknown) => {
    const detail = `the driver broke: ${textOfThrown(defect)}`
    return new TransportError({ reason: "Unknown", transport: name, operation, detail, cause: defect })
  }
  const asked = <A>(operation: string, about: string, call: () => Effect.Effect<A, TransportError>) => {
    const answer = Effect.catchDefect(Effect.suspend(call), (defect) => Effect.fail(broken(operation)(defect)))
    return calls.call(`${operation} ${about}`.trimEnd(), answer)
  }
  return {
    name,
    capabilities,
    // What it breaks with then says whoever opens.
    openWriter: (topic) =>
      calls.call(
        `openWriter ${topic}`,
        Effect.suspend(() => transport.openWriter(topic))
      ),
    partitionsOf: (topic) => asked("partitionsOf", topic, () => transport.partitionsOf(topic)),
    // The scope of the caller is that of the member; the stream has one of its own.
    subscribe: (subscription) =>
      Stream.flatMap(Stream.fromEffect(Effect.scope), (member) => {
        const lanes = Stream.suspend(() => transport.subscribe(subscription))
        const kind = `subscribe ${subscription.group} ${subscription.topic}`
        return Stream.map(pulled(calls, kind, Stream.provideService(lanes, Scope.Scope, member)), (lane) =>
          leavableLane(name, lane)
        )
      }),
    read: (topic, partition, range) => {
      const records = Stream.suspend(() => transport.read(topic, partition, range))
      const failing = Stream.catchDefect(records, (defect) => Stream.fail(broken("read")(defect)))
      return pulled(calls, `read ${partition} ${topic}`, failing)
    },
    bounds: (topic, group) => asked("bounds", `${group ?? ""} ${topic}`, () => transport.bounds(topic, group)),
    ensure: (spec) => asked("ensure", spec.topic, () => transport.ensure(spec)),
    ...(topics === undefined ? {} : { topics: asked("topics", "", () => topics) }),
    ...(groups === undefined ? {} : { groups: (topic) => asked("groups", topic, () => groups.call(transport, topic)) }),
    ...(trim === undefined
      ? {}
      : {
          trim: (topic, partition, before) =>
            asked("trim", `${partition} ${topic}`, () => trim.call(transport, topic, partition, before))
        })
  }
}

/** Of a lane the settles can be left. */
function leavableLane(name: string, lane: Lane): Lane {
  const calls = new LeavableCalls(name)
  const { id, partition, start, abandoned, batches, revoked, release } = lane
  const settle: Lane["settle"] = (position) =>
    calls.call(
      `settle ${id}`,
      Effect.suspend(() => lane.settle(position))
    )
  return { id, partition, start, abandoned, batches, revoked, settle, release }
}

/**
 * Each pull can be left, and so can the beginning. One fiber serves them all: what the driver forks in one pull lives until the stream is not run any
 * more, as it would without this. A stream that was left in a pull is over.
 */
function pulled<A, E>(calls: LeavableCalls, kind: string, stream: Stream.Stream<A, E>): Stream.Stream<A, E> {
  const pulling = Effect.gen(function* () {
    type Answer = Deferred.Deferred<Arr.NonEmptyReadonlyArray<A>, E | Cause.Done>
    // No queue: what completes a Deferred runs on whoever waits for it, so that a pull which has its answer at once costs no turn.
    let wanted = Deferred.makeUnsafe<Answer>()
    let open: Answer | undefined
    const serving = Effect.gen(function* () {
      const pull = yield* Stream.toPull(stream)
      for (let isOn = true; isOn;) {
        const answer = yield* Deferred.await(wanted)
        wanted = Deferred.makeUnsafe()
        const exit = yield* Effect.exit(pull)
        isOn = Exit.isSuccess(exit)
        calls.answered(kind)
        open = undefined
        Deferred.doneUnsafe(answer, exit)
      }
    })
    const fiber = yield* calls.serve(kind, serving)
    fiber.addObserver((exit) => {
      if (open !== undefined) Deferred.doneUnsafe(open, overOf(exit))
    })
    return Effect.suspend(() => {
      const answer: Answer = Deferred.makeUnsafe()
      const ended = fiber.pollUnsafe()
      if (ended !== undefined) return overOf(ended)
      open = answer
      Deferred.doneUnsafe(wanted, Exit.succeed(answer))
      return Effect.onInterrupt(Deferred.await(answer), () => calls.leave(kind, fiber))
    })
  })
  return Stream.scoped(Stream.fromPull(pulling))
}

/** What a stream says whose fiber has ended. */
function overOf<E>(exit: Exit.Exit<void, E>): Exit.Exit<never, E> {
  return Exit.isFailure(exit) ? Exit.failCause(exit.cause) : Exit.interrupt()
}
