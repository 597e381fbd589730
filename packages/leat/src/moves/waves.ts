/**
 * Streams that move a few at a time. All of them are paused when their document is applied, and a wave is what is resumed of them; the next one
 * goes when the one before is well. What has not gone stays paused where it lies: whoever drives the waves may die at any time.
 */
import { Clock, Duration, Effect, Option } from "effect"
import type { Control } from "../control/Control.ts"
import type { ControlError } from "../control/ControlError.ts"
import { type Epoch, endsOf, type Placement } from "../control/Placement.ts"
import { isObject, kindOf } from "../given/takes.ts"
import { namesText } from "./awaited.ts"
import { refused, type ToolStream } from "./openFleet.ts"
import { holds } from "./pausing.ts"

/** How many streams go at a time, and when no more do. */
export interface Waves {
  /** Streams of one wave. */
  readonly streams: number
  /** How long nothing of a stream may be sent while it goes over; after a longer pause no wave follows. No bound when absent. */
  readonly pauseMax?: Duration.Input | undefined
  /** How long a wave may take until all its streams are written in their new places and read to the end in the old ones; 10 minutes when absent. */
  readonly within?: Duration.Input | undefined
  /** Is told of each wave that has ended. */
  readonly onWave?: ((ended: EndedWave) => void) | undefined
}

/** A stream that is written in its new place. */
export interface WavedStream {
  readonly stream: string
  /** How long nothing of it was sent, in milliseconds, as it was seen from outside. */
  readonly pauseMs: number
}

/** A wave whose streams are written in their new places, and read to their end in the old ones. */
export interface EndedWave {
  /** From 1 on. */
  readonly wave: number
  readonly waves: number
  readonly streams: ReadonlyArray<WavedStream>
}

/** How far the waves got. */
export interface WavesEnd {
  readonly moved: ReadonlyArray<WavedStream>
  /** Streams that have not gone: they are paused where they lie. */
  readonly left: ReadonlyArray<string>
  /** Why no more went; absent: all have. */
  readonly stopped?: string
}

/** From one look to the next, in milliseconds: a pause is seen as so much longer than it was. */
const lookMs = 100
const withinDefault: Duration.Input = "10 minutes"

/** Why this says no waves, as a sentence; undefined: it does. */
function wavesFault(waves: unknown): string | undefined {
  if (!isObject(waves)) return `waves is { streams, pauseMax, within }, and not ${kindOf(waves)}`
  const { streams, pauseMax, within, onWave } = waves
  if (!Number.isSafeInteger(streams) || (streams as number) < 1) return "waves.streams is a whole number from 1 on"
  for (const [name, value] of Object.entries({ pauseMax, within }))
    if (value !== undefined && Option.isNone(Duration.fromInput(value as Duration.Input)))
      return `waves.${name} is a duration, as "5 seconds"`
  return onWave === undefined || typeof onWave === "function"
    ? undefined
    : `waves.onWave is a function, and not ${kindOf(onWave)}`
}

/** Resumes streams that are paused, wave by wave. */
export const goOnInWaves = Effect.fnUntraced(function* (
  stream: ToolStream,
  names: ReadonlyArray<string>,
  { streams: count, pauseMax = Infinity, within = withinDefault, onWave = () => {} }: Waves,
  reason: string | undefined
): Effect.fn.Return<WavesEnd, ControlError> {
  const moved: Array<WavedStream> = []
  const waves = Math.ceil(names.length / count)
  for (let wave = 1; wave <= waves; wave++) {
    const those = names.slice((wave - 1) * count, wave * count).map((name) => new Going(name, stream.control))
    for (const { stream: name } of those) yield* holds(stream, name, false, reason)
    const stopped = yield* waveEnded(stream, those, {
      pauseMs: Duration.toMillis(pauseMax),
      withinMs: Duration.toMillis(within)
    })
    const written = those.filter((one) => one.isWritten)
    moved.push(...written.map(({ stream: name, pauseMs }) => ({ stream: name, pauseMs })))
    if (stopped === undefined) {
      onWave({ wave, waves, streams: moved.slice(-written.length) })
      continue
    }
    const begun = those.filter((one) => one.isWritten || one.hasBegun)
    const left = names.slice((wave - 1) * count).filter((name) => !begun.some((one) => one.stream === name))
    for (const name of left) yield* holds(stream, name, true, `${reason ?? ""}: ${stopped}`)
    return { moved, left, stopped }
  }
  return { moved, left: [] }
})

interface Bounds {
  readonly pauseMs: number
  readonly withinMs: number
}

/** Waits until a wave has ended. Gives why no other one should follow. */
const waveEnded = Effect.fnUntraced(function* (
  stream: ToolStream,
  those: ReadonlyArray<Going>,
  { pauseMs, withinMs }: Bounds
): Effect.fn.Return<string | undefined> {
  const startMs = yield* Clock.currentTimeMillis
  for (;;) {
    const nowMs = yield* Clock.currentTimeMillis
    const wrong = those.map((one) => one.look(stream.control, nowMs)).find((why) => why !== undefined)
    if (wrong !== undefined) return wrong
    const long = those.find((one) => one.isWritten && one.pauseMs > pauseMs)
    if (long !== undefined)
      return `nothing of stream ${long.stream} was sent for ${long.pauseMs} ms, and ${pauseMs} ms are allowed`
    const waiting = those.map(({ waitsFor }) => waitsFor).filter((what) => what !== undefined)
    if (waiting.length === 0) return undefined
    if (nowMs - startMs >= withinMs) return `after ${Math.round(withinMs / 1000)} seconds ${waiting.join(", and ")}`
    yield* Effect.sleep(lookMs)
    yield* stream.look
  }
})

/** A stream of a wave, as it goes. */
class Going {
  readonly stream: string
  readonly #target: number | undefined
  #placement: Placement | undefined
  /** When it was seen last before it was sealed. */
  #beforeMs: number | undefined
  pauseMs = 0
  isWritten = false
  /** It cannot be held any more before it is written. */
  hasBegun = false

  constructor(stream: string, { streams }: Control) {
    this.stream = stream
    this.#placement = streams.get(stream)
    this.#target = this.#placement?.epochs.at(-1)?.epoch
  }

  /** Gives what is not well. */
  look({ streams }: Control, nowMs: number): string | undefined {
    const { stream } = this
    const placement = streams.get(stream)
    if (placement?.epochs.at(-1)?.epoch !== this.#target || placement === undefined)
      return `stream ${stream} was sent elsewhere, or its move called off, meanwhile`
    this.#placement = placement
    const { source, newest } = endsOf(placement)
    if (source?.phase === "open") this.#beforeMs = nowMs
    this.hasBegun = source !== undefined && source.phase !== "open"
    if (newest?.phase === "open" && !this.isWritten) {
      this.pauseMs = nowMs - (this.#beforeMs ?? nowMs)
      this.isWritten = true
    }
    const owing = placement.epochs.flatMap(({ over }) => [...over.keys()])
    return owing.length === 0 ? undefined : `stream ${stream} has passed over ${namesText(owing)}`
  }

  /** Undefined: it has ended. */
  get waitsFor(): string | undefined {
    const { epochs = [], groups = new Set<string>() } = this.#placement ?? {}
    if (!this.isWritten) return `stream ${this.stream} is not written in its new place`
    const behind = [...groups].filter((group) => !epochs.slice(0, -1).every((one) => hasRead(one, group)))
    if (behind.length === 0) return undefined
    return `stream ${this.stream} is not read to its end in its old place by ${namesText(behind)}`
  }
}

const hasRead = ({ phase, handedOver }: Epoch, group: string): boolean =>
  phase === "retired" || phase === "abandoned" || handedOver.has(group)

/** For callers without types. */
export const checkedWaves = (waves: Waves | undefined): Effect.Effect<Waves | undefined, ControlError> => {
  const fault = waves === undefined ? undefined : wavesFault(waves)
  return fault === undefined ? Effect.succeed(waves) : Effect.fail(refused(fault))
}
