/**
 * When the partitions of a sink go back from its fallback to the destination.
 *
 * Where what is there is sent on, a partition goes back once the group that does it has settled everything that this leat has there, and nothing
 * of the partition is on its way: so nothing is overtaken. Near the end the lanes are held back, or a busy stream would never leave; not for
 * long. Where it stays, a partition goes back once the destination has fenced it, or says where it ends if it cannot fence; that is asked with
 * growing pauses. In both cases the destination is fenced before anything is sent there.
 */
import { Effect } from "effect"
import { textOfThrown } from "../../given/thrown.ts"
import type { PartitionBounds } from "../../transport/index.ts"
import { warn } from "../../Telemetry.ts"
import type { Wake } from "../../Wake.ts"
import { boundedFence } from "../boundedFence.ts"
import type { Leg } from "../../routes/Route.ts"
import type { Pump } from "../Pump.ts"
import { answered, askedBounds } from "./askedBounds.ts"
import {
  type Fallback,
  type FallbackPart,
  type PlacePart,
  firstHeldMs,
  firstPauseMs,
  heldMsMax,
  pauseMsMax,
  trialPauseMsMax
} from "./Fallback.ts"
import { type FallbackPlace, settledOf } from "./openFallback.ts"

/** Pauses between two looks at what was sent on: the first, and the longest, in milliseconds. */
const lookMs = 100
const lookMsMax = 2000

/** Pause between two looks at what others have there, while nothing of this process is, in milliseconds. */
const idleLookMs = 30_000

/** A partition is held back for so many records at most: it is not far to the end. */
const nearRecords = 1000

/** How long a partition that was turned on is waited for to send something, in milliseconds. */
const freshMs = 1000

/** How long all partitions have to be back until that is told, in milliseconds. */
const lastingMs = 3000

export interface ReturnHome {
  readonly leg: Leg
  /** Whether nothing of a partition is on its way. */
  readonly isUnsent: (partition: number) => boolean
  /** Whether something stands that the fallback has refused for good: it waits for the destination alone. */
  readonly hasRefused: boolean
  /** Whether a partition is held back has changed. */
  readonly looked: (partition: number) => void
  /** A partition goes back. */
  readonly back: (partition: number, part: FallbackPart) => void
  /** Nothing has gone to the fallback for a while, since so many milliseconds of the monotonic clock; told again and again. */
  readonly over: (sinceMs: number) => void
  /** What waits in all partitions of a place to be sent on. */
  readonly waits: (place: FallbackPlace, rows: ReadonlyArray<PartitionBounds>) => void
  /** A place does not say how far the partitions that are on were sent on, since a time of the monotonic clock. */
  readonly stands: (place: FallbackPlace, partition: undefined, sinceMs: number, why: string) => void
  /** The topic of a place was made anew, and so many events in this partition of it are lost. */
  readonly anew: (place: FallbackPlace, partition: number, there: PlacePart, lost: number) => void
}

/** What is known of the looks at one place. */
interface Look {
  readonly place: FallbackPlace
  readonly wake: Wake
  pauseMs: number
  /** Since when they have no answer; undefined: the last one has one. */
  unansweredMs: number | undefined
  /** Partitions that ended before what was sent on, at the last look. */
  shrunken: ReadonlySet<number>
}

export class FallbackReturn {
  readonly #fallback: Fallback
  readonly #home: ReturnHome
  readonly #pump: Pick<Pump, "transport" | "nowMs">
  /** Of each place. Where nothing is sent on one is enough: it looks at the destination. */
  readonly #looks: readonly [Look, ...ReadonlyArray<Look>]
  /** Whether its sink is being closed: what waits in the buffer goes to the fallback, and for nothing else. */
  isClosing = false
  /** Partitions whose destination was asked at once for the last attempt of a sink that closes. */
  #tried: Set<number> | undefined

  constructor(fallback: Fallback, home: ReturnHome, pump: Pick<Pump, "transport" | "nowMs">, wake: () => Wake) {
    this.#fallback = fallback
    this.#home = home
    this.#pump = pump
    const [first, ...others] = fallback.places
    const lookAt = (place: FallbackPlace): Look => {
      return { place, wake: wake(), pauseMs: lookMs, unansweredMs: undefined, shrunken: new Set() }
    }
    this.#looks = [lookAt(first), ...(fallback.back === "stay" ? [] : others.map(lookAt))]
  }

  /** Something has happened that a look is worth. */
  signal(): void {
    for (const { wake } of this.#looks) wake.signal()
  }

  /**
   * Once for each partition, while its sink closes: where what is there stays the destination is asked at once whether it is back. The fallback has not
   * taken what waits.
   */
  tryNow(partition: number): void {
    const part = this.#fallback.parts[partition]
    const tried = (this.#tried ??= new Set())
    if (part === undefined || this.#fallback.back !== "stay" || tried.has(partition)) return
    tried.add(partition)
    part.lookedMs = Number.NEGATIVE_INFINITY
    this.signal()
  }

  /** What is before the position was sent on from a place, by this leat. */
  sentOn({ index }: FallbackPlace, partition: number, position: bigint): void {
    const part = this.#fallback.parts[partition]
    const there = part?.there[index]
    if (part === undefined || there === undefined || position <= there.settled) return
    there.settled = position
    this.#look(partition, part, true)
  }

  /** Looks until it is interrupted. */
  get run(): Effect.Effect<never> {
    // Each place for itself: one that gives no answer keeps nobody from seeing that all was sent on of another.
    const all = this.#looks.map((look) => this.#runOf(look))
    return Effect.andThen(Effect.all(all, { concurrency: "unbounded", discard: true }), Effect.never)
  }

  #runOf(place: Look): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      const stays = this.#fallback.back === "stay"
      for (;;) {
        const look = this.#fallback.on.length === 0 ? this.#idle(place) : stays ? this.#probe : this.#read(place)
        // A driver that breaks must not leave the partitions where they are for ever.
        yield* Effect.catchDefect(look, (defect) =>
          Effect.andThen(
            warn(`looking whether ${this.#home.leg.sink} is back has failed, and goes on: ${textOfThrown(defect)}`),
            Effect.sleep(lookMsMax)
          )
        )
      }
    })
  }

  /** All is back. That is told when it has lasted: a cluster that answers now and then is not back each time. */
  #idle(look: Look): Effect.Effect<void> {
    return Effect.suspend(() => {
      look.pauseMs = lookMs
      // What others have there is sent on all the same.
      const others = Effect.suspend(() =>
        Effect.andThen(
          Effect.map(askedBounds(look.place), (rows) => {
            if (typeof rows === "string") return
            this.#findNew(look, rows)
            this.#waits(look.place, rows)
          }),
          look.wake.idleFor(idleLookMs)
        )
      )
      if (look !== this.#looks[0]) return others
      const sinceMs = Math.max(...this.#fallback.parts.map(({ backSinceMs }) => backSinceMs))
      const leftMs = sinceMs + lastingMs - this.#pump.nowMs
      if (leftMs > 0) return look.wake.waitFor(leftMs)
      if (!this.#isProven) return look.wake.idleFor(lastingMs)
      this.#home.over(sinceMs)
      return this.#fallback.back === "stay" ? look.wake.wait : others
    })
  }

  /** Whether the destination has stored something of what came back to it, and nothing waits for its answer for the first time since. */
  get #isProven(): boolean {
    const back = this.#fallback.parts.filter(({ backSinceMs }) => backSinceMs > Number.NEGATIVE_INFINITY)
    const isTried = ({ hasStored }: FallbackPart, partition: number) => !hasStored && !this.#home.isUnsent(partition)
    return (
      back.every(({ hasStored }) => hasStored) ||
      (back.some(({ hasStored }) => hasStored) && !this.#fallback.parts.some(isTried))
    )
  }

  /** The destination has stored something of the partition. */
  stored(partition: number): void {
    const part = this.#fallback.parts[partition]
    if (part === undefined || part.isOn || part.hasStored) return
    part.hasStored = true
    this.signal()
  }

  #waits(place: FallbackPlace, rows: ReadonlyArray<PartitionBounds>): void {
    if (rows.length > 0) this.#home.waits(place, rows)
  }

  /** Says once that looks have no answer; shows it as long as that lasts. */
  #unanswered(look: Look, why: string): Effect.Effect<void> {
    const { place } = look
    // Nobody waits for what is in another place.
    const isWaitedFor = ({ at, there }: FallbackPart) => at === place.index || there[place.index]?.isEmpty === false
    if (!this.#fallback.parts.some((part) => part.isOn && isWaitedFor(part))) {
      look.unansweredMs = undefined
      return Effect.void
    }
    const isFirst = look.unansweredMs === undefined
    look.unansweredMs ??= this.#pump.nowMs
    const { name } = place
    this.#home.stands(place, undefined, look.unansweredMs, `${name} does not say how far it was sent on: ${why}`)
    if (!isFirst) return Effect.void
    const where = this.#fallback.places.length > 1 ? "to its fallbacks" : "there"
    return warn(
      `${name} does not say how far it was sent on, and is asked again: until then what is published to ${this.#home.leg.sink} goes ${where}: ${why}`
    )
  }

  /** Reads how far it was sent on: by this leat, which says so itself, or by any other. */
  #read(look: Look): Effect.Effect<void> {
    const { parts } = this.#fallback
    const { place, wake } = look
    return Effect.gen({ self: this }, function* () {
      yield* wake.waitFor(look.pauseMs)
      const unplaced = parts.flatMap(({ there }) => there[place.index] ?? []).filter(({ isUnplaced }) => isUnplaced)
      for (const part of unplaced) part.isUnplaced = false
      // Nobody is held back for longer because there is no answer.
      const lettingGo = Effect.forever(
        Effect.andThen(Effect.sleep(lookMs), () => {
          for (const [partition, part] of parts.entries()) this.#letGo(partition, part)
          return Effect.void
        })
      )
      const isHolding = parts.some(({ isHeld }) => isHeld)
      const asked = askedBounds(place)
      const rows = yield* isHolding ? Effect.raceFirst(asked, lettingGo) : asked
      for (const [partition, part] of parts.entries()) this.#letGo(partition, part)
      if (typeof rows === "string") {
        for (const part of unplaced) part.isUnplaced = true
        yield* this.#unanswered(look, rows)
      } else look.unansweredMs = undefined
      const told = typeof rows === "string" ? [] : rows
      this.#findNew(look, told)
      let hasRisen = false
      for (const row of told) {
        const part = parts[row.partition]
        const there = part?.there[place.index]
        if (part === undefined || there === undefined) continue
        if (unplaced.includes(there) && row.end > there.end) there.end = row.end
        const settled = settledOf(row)
        const isRising = settled > there.settled
        if (isRising) there.settled = settled
        // Of one that may be another topic nothing is known until the next look.
        if (!part.isOn || look.shrunken.has(row.partition)) continue
        hasRisen ||= isRising
        this.#look(row.partition, part, isRising)
      }
      this.#waits(place, told)
      const isNear = hasRisen || parts.some(({ isHeld }) => isHeld)
      look.pauseMs = isNear ? lookMs : Math.min(look.pauseMs * 2, lookMsMax)
    })
  }

  /** A topic that ends before what was sent on is another one. A broker that has just taken over may say so for a moment. */
  #findNew(look: Look, rows: ReadonlyArray<PartitionBounds>): void {
    const before = look.shrunken
    const there = (partition: number) => this.#fallback.parts[partition]?.there[look.place.index]
    const shrunken = rows.filter(({ partition, end }) => end < (there(partition)?.settled ?? 0n))
    look.shrunken = new Set(shrunken.map(({ partition }) => partition))
    for (const { partition, end } of shrunken) {
      const part = there(partition)
      if (part === undefined || !before.has(partition)) continue
      this.#home.anew(look.place, partition, part, part.left)
      part.end = end
    }
  }

  #look(partition: number, part: FallbackPart, isRising: boolean): void {
    if (!part.isOn || this.#letGo(partition, part)) return
    const { nowMs } = this.#pump
    const { left } = part
    if (left > 0) {
      if (isRising && left <= nearRecords) this.#hold(partition, part, true)
      return
    }
    // What it was turned on for goes there first, or a cluster that answers now and then would never be spared.
    if (part.isFresh && nowMs - part.onSinceMs < freshMs) return
    if (part.isUnplaced || part.isFencing || !this.#home.isUnsent(partition)) return this.#hold(partition, part, true)
    this.#turnOff(partition, part)
  }

  /** Whether what is published was held back for long enough, and is not any more. */
  #letGo(partition: number, part: FallbackPart): boolean {
    if (!part.isHeld || this.#pump.nowMs - part.heldSinceMs < part.heldMs) return false
    // For as long as it was held it is not held again.
    part.freeUntilMs = this.#pump.nowMs + part.heldMs
    part.heldMs = Math.min(part.heldMs * 2, heldMsMax)
    this.#hold(partition, part, false)
    return true
  }

  /** Nothing is to be held back for what is sent on of a partition. */
  letGo(partition: number): void {
    const part = this.#fallback.parts[partition]
    if (part !== undefined) this.#hold(partition, part, false)
  }

  #hold(partition: number, part: FallbackPart, isHeld: boolean): void {
    if (part.isHeld === isHeld || (isHeld && (this.isClosing || this.#pump.nowMs < part.freeUntilMs))) return
    part.isHeld = isHeld
    part.heldSinceMs = this.#pump.nowMs
    this.#home.looked(partition)
  }

  #turnOff(partition: number, part: FallbackPart): void {
    part.at = undefined
    part.isHeld = false
    part.heldMs = firstHeldMs
    part.backSinceMs = this.#pump.nowMs
    // Who sends on has seen it; an answer to a question says less.
    part.hasStored = this.#fallback.back === "redrive"
    this.#home.back(partition, part)
  }

  /** Asks the destination of each partition that is due, all at the same time. */
  get #probe(): Effect.Effect<void> {
    const { parts, on } = this.#fallback
    const [{ wake }] = this.#looks
    return Effect.gen({ self: this }, function* () {
      const nextMs = Math.min(...on.map((partition) => dueMsOf(parts[partition])))
      const forMs = nextMs - this.#pump.nowMs
      // What nothing but this look lets go on keeps the process.
      if (forMs > 0) return yield* this.#home.hasRefused ? wake.waitFor(forMs) : wake.idleFor(forMs)
      // Each for itself: one that is not answered keeps no other waiting.
      for (const partition of on) {
        const part = parts[partition]
        if (part === undefined || dueMsOf(part) > this.#pump.nowMs) continue
        part.isAsked = true
        const asked = Effect.ensuring(
          this.#ask(partition, part),
          Effect.sync(() => {
            part.isAsked = false
            wake.signal()
          })
        )
        yield* Effect.forkChild(asked)
      }
    })
  }

  #ask(partition: number, part: FallbackPart): Effect.Effect<void> {
    const { sink, topic, timeoutMs } = this.#home.leg
    const { destination } = this.#fallback
    const { transport } = this.#pump
    const asked =
      transport.capabilities.fencing === "none"
        ? Effect.map(answered(Effect.suspend(() => transport.bounds(topic))), (rows) => typeof rows !== "string")
        : Effect.map(boundedFence(destination, partition, sink, timeoutMs), (failure) => failure === undefined)
    return Effect.gen({ self: this }, function* () {
      const isBack = yield* asked
      part.lookedMs = this.#pump.nowMs
      part.pauseMs = Math.max(part.pauseMs, Math.min(part.pauseMs * 2, pauseMsMax))
      // What is on its way to the fallback is answered soon; nothing else comes meanwhile.
      if (!isBack) return
      part.isOwed = false
      yield* this.#whenUnsent(partition, part)
    })
  }

  #whenUnsent(partition: number, part: FallbackPart): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.#hold(partition, part, true)
      for (let waitedMs = 0; part.isOn && !this.#home.isUnsent(partition); waitedMs += 10) {
        if (waitedMs >= firstHeldMs) return this.#hold(partition, part, false)
        yield* Effect.sleep(10)
      }
      if (part.isOn) this.#turnOff(partition, part)
    })
  }
}

/** When the destination of a partition is asked next. */
function dueMsOf(part: FallbackPart | undefined): number {
  return part === undefined || part.isAsked ? Number.POSITIVE_INFINITY : part.lookedMs + part.pauseMs
}

/**
 * When the destination is asked next that has taken nothing since it was asked last, although it answered: publishers have waited for that trial, so
 * the pause is longer the longer it was, and a tenth of the time at least is not spent on trials.
 */
export function pauseAgain(part: FallbackPart, nowMs: number, timeoutMs: number): void {
  if (part.hasStored) {
    part.pauseMs = firstPauseMs
    return
  }
  // Nothing may have been published for long.
  const trialMs = Math.min(nowMs - part.backSinceMs, timeoutMs * 4)
  const most = Math.min(Math.max(pauseMsMax, trialMs * 10), trialPauseMsMax)
  part.pauseMs = Math.min(Math.max(part.pauseMs * 2, trialMs), most)
}
