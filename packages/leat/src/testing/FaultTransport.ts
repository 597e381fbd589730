/** Any transport, with faults: what a broker, a network or a crash does to a client, one call at a time, by a plan. */
import { Effect, Stream } from "effect"
import { type Calls, errorOf, faultWriter } from "./faultWriter.ts"
import type { Driver, Lane, Transport, TransportReason } from "../transport/index.ts"

/** What happens to one send. */
export type SendFault =
  /** Nothing is stored, and the reason says why; unknown where the reason leaves that open. */
  | { readonly kind: "fail"; readonly reason: TransportReason }
  /** It is sent after so many milliseconds. */
  | { readonly kind: "delay"; readonly ms: number }
  /** All is stored, and the answer is lost. */
  | { readonly kind: "loseResponse" }
  /** The connection breaks before anything is stored, and nobody can tell. */
  | { readonly kind: "cut" }
  /** As `cut`, but the request is still on its way: it is stored after so many milliseconds, unless it is fenced off first. */
  | { readonly kind: "lateWrite"; readonly ms: number }
  /** Nothing is stored, and no answer ever comes. */
  | { readonly kind: "silence" }
  /** Nothing is stored, and the call throws; where it waits behind another, no answer ever comes. */
  | { readonly kind: "throw" }
  /** It is answered as it is, and again after so many milliseconds, as refused. */
  | { readonly kind: "answerTwice"; readonly ms: number }
  /** A request of more than so many bytes of records is refused as `TooLarge`, whole. */
  | { readonly kind: "oversize"; readonly bytesMax: number }
  /** The first part is stored and the rest is not; only where the transport's batches are not atomic. */
  | { readonly kind: "prefix"; readonly stored: number }

/** One call of `send`, as a plan sees it. */
export interface SendCall {
  /** Number of this send, from 0, over all topics. */
  readonly call: number
  readonly topic: string
  readonly partition: number
  /** Records that are sent. */
  readonly count: number
}

/** One call of a lane that is read, as a plan sees it. */
export interface LaneCall {
  /** Number of this call, from 0, over all lanes. */
  readonly call: number
  readonly group: string
  readonly topic: string
  readonly partition: number
}

/**
 * Decides for each call; undefined lets it through. `call` counts the calls of its kind from 0, over the whole transport.
 *
 * @example
 * ```ts
 * const plan: FaultPlan = {
 *   send: ({ call }) => (call === 1 ? { kind: "loseResponse" } : undefined),
 *   pull: ({ call }) => (call === 5 ? "LaneLost" : undefined)
 * }
 * ```
 */
export interface FaultPlan {
  /** Does something to a send. */
  readonly send?: (call: SendCall) => SendFault | undefined
  /** Fails a fence with this reason. */
  readonly fence?: (call: {
    readonly call: number
    readonly topic: string
    readonly partition: number
  }) => TransportReason | undefined
  /** Fails a settle with this reason; `silence`: nothing is settled, and no answer ever comes. */
  readonly settle?: (call: LaneCall & { readonly position: bigint }) => TransportReason | "silence" | undefined
  /**
   * Fails a pull. After `LaneLost` the backend gives the lane to somebody; after other reasons it still takes us for its holder. `silence`: no
   * answer ever comes.
   */
  readonly pull?: (call: LaneCall) => TransportReason | "silence" | undefined
  /** Plants a mutant: a fence that lets late writes land all the same. */
  readonly isFenceBroken?: boolean
  /** Plants a mutant: what was handed over behind a range that failed is stored all the same. */
  readonly isPipelineBroken?: boolean
}

/**
 * A driver whose transports have the faults of the plan.
 *
 * @example
 * ```ts
 * const broker = new MemoryBroker()
 * const driver = faultDriver(memoryDriver(broker), { send: ({ call }) => (call === 3 ? { kind: "loseResponse" } : undefined) })
 * const leat = yield* Leat.make({ source: "test", drivers: [driver] })
 * ```
 */
export function faultDriver(inner: Driver, plan: FaultPlan): Driver {
  return {
    ...inner,
    open: (cluster, config, reread) =>
      Effect.map(inner.open(cluster, config, reread), (transport) => faultTransport(transport, plan))
  }
}

/**
 * A transport with the faults of the plan, for tests that need no leat. `read`, `bounds`, `ensure`, `groups`
 * and `trim` are as they were.
 *
 * @example
 * ```ts
 * const transport = faultTransport(memoryTransport(broker), { fence: () => "Unavailable" })
 * ```
 */
export function faultTransport(inner: Transport, plan: FaultPlan): Transport {
  const calls = { send: 0, fence: 0, settle: 0, pull: 0 }
  return {
    ...inner,
    openWriter: (topic) =>
      Effect.zipWith(inner.openWriter(topic), Effect.context<never>(), (writer, context) =>
        faultWriter({ inner, writer, topic, plan, calls, context })
      ),
    subscribe: (subscription) =>
      Stream.map(inner.subscribe(subscription), (lane) => {
        const { group, topic } = subscription
        return faultLane(lane, { group, topic, partition: lane.partition }, { inner, plan, calls })
      })
  }
}

interface Faulty {
  readonly inner: Transport
  readonly plan: FaultPlan
  readonly calls: Calls
}

function faultLane(lane: Lane, place: Omit<LaneCall, "call">, { inner, plan, calls }: Faulty): Lane {
  return {
    ...lane,
    batches: Stream.mapEffect(lane.batches, (batch) => {
      const reason = plan.pull?.({ call: calls.pull++, ...place })
      if (reason === undefined) return Effect.succeed(batch)
      if (reason === "silence") return Effect.never
      return Effect.andThen(
        reason === "LaneLost" ? lane.release : Effect.void,
        Effect.fail(errorOf(inner, "pull", reason))
      )
    }),
    settle: (position) =>
      Effect.suspend(() => {
        const reason = plan.settle?.({ call: calls.settle++, ...place, position })
        if (reason === "silence") return Effect.never
        return reason === undefined ? lane.settle(position) : Effect.fail(errorOf(inner, "settle", reason))
      })
  }
}

/** Chances of each fault of one call, 0 to 1; what they leave over passes. None when absent. */
export interface FaultRates {
  readonly fail?: number
  readonly delay?: number
  readonly loseResponse?: number
  readonly cut?: number
  readonly lateWrite?: number
  readonly silence?: number
  readonly throw?: number
  readonly answerTwice?: number
  readonly oversize?: number
  /** Chance that a fence fails. */
  readonly fence?: number
  /** Chance that a settle fails. */
  readonly settle?: number
  /** Chance that a pull fails. */
  readonly pull?: number
  /** Chance that a pull finds that its lane is gone. */
  readonly loseLane?: number
  /** Longest delay, and latest landing, in milliseconds; 50 when absent. */
  readonly msMax?: number
}

/**
 * A plan that draws its faults from `random`, [0, 1): give it a seeded one, and a run can be repeated.
 *
 * @example
 * ```ts
 * const driver = faultDriver(memoryDriver(broker), randomFaults(seededRandom(42), { fail: 0.1, loseResponse: 0.05 }))
 * ```
 */
export function randomFaults(random: () => number, rates: FaultRates): FaultPlan {
  const { msMax = 50 } = rates
  const ms = () => Math.floor(random() * msMax)
  const choices: ReadonlyArray<readonly [number | undefined, () => SendFault]> = [
    [rates.fail, () => ({ kind: "fail", reason: random() < 0.5 ? "Unavailable" : "Throttled" })],
    [rates.delay, () => ({ kind: "delay", ms: ms() })],
    [rates.loseResponse, () => ({ kind: "loseResponse" })],
    [rates.cut, () => ({ kind: "cut" })],
    [rates.lateWrite, () => ({ kind: "lateWrite", ms: ms() })],
    [rates.silence, () => ({ kind: "silence" })],
    [rates.throw, () => ({ kind: "throw" })],
    [rates.answerTwice, () => ({ kind: "answerTwice", ms: ms() })],
    [rates.oversize, () => ({ kind: "oversize", bytesMax: Math.floor(random() * 8192) })]
  ]
  const passing = (rate = 0): TransportReason | undefined => (rate > 0 && random() < rate ? "Unavailable" : undefined)
  return {
    fence: () => passing(rates.fence),
    settle: () => passing(rates.settle),
    pull: () => (passing(rates.loseLane) === undefined ? passing(rates.pull) : "LaneLost"),
    send: () => {
      let drawn = random()
      for (const [rate = 0, fault] of choices) {
        if (drawn < rate) return fault()
        drawn -= rate
      }
      return undefined
    }
  }
}
