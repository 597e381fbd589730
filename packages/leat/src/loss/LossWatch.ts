/**
 * Watches the loss objectives of the streams that are open: looks at the windows every ten seconds, and tells when a leg begins to use its
 * objective up too fast, and when that is over. One line for each change.
 */
import { type Context, Duration, Effect, type Fiber } from "effect"
import { beforeExit } from "../beforeExit.ts"
import { idleSleep } from "../idleSleep.ts"
import type { WriteAccount } from "../ledger/Ledger.ts"
import type { ObjectiveRow } from "../ledger/ObjectiveRow.ts"
import type { Windows } from "../ledger/Windows.ts"
import type { Objective } from "../routes/Routes.ts"
import * as Telemetry from "../Telemetry.ts"
import type { BurnAlert } from "./BurnAlert.ts"
import { LegObjective } from "./LegObjective.ts"
import { reportLoss } from "./reportLoss.ts"

/** How often it looks, in milliseconds. */
const lookEveryMs = 10_000

/** Reasons that are named in a line. */
const reasonsMax = 3

/** A stream that is open and has an objective. */
export interface WatchedStream {
  readonly objective: Objective
  /** Its required legs. */
  readonly legs: Iterable<WriteAccount>
}

/** What is watched, and who is told. */
export interface LossParts {
  readonly windows: Windows
  /** Milliseconds of the monotonic clock. */
  readonly nowMs: () => number
  readonly context: Context.Context<never>
  readonly watched: () => Iterable<WatchedStream>
}

interface Watching {
  readonly leg: LegObjective
  readonly unreport: () => void
}

export class LossWatch {
  readonly #parts: LossParts
  readonly #legs = new Map<WriteAccount, Watching>()
  #looking: Fiber.Fiber<void> | undefined
  #isClosed = false

  constructor(parts: LossParts) {
    this.#parts = parts
  }

  /** There may be an objective now: looks from now on, for as long as there is one. */
  begin(): void {
    if (!this.#isClosed) this.#looking ??= Effect.runForkWith(this.#parts.context)(this.#run)
  }

  /** Looks once more, and no more after that. */
  close(): void {
    this.#looking?.interruptUnsafe()
    if (this.#looking !== undefined) this.look()
    this.#isClosed = true
    for (const { unreport } of this.#legs.values()) unreport()
  }

  /** The objectives as they are now, or were when the leat was closed. */
  rows(): ReadonlyArray<ObjectiveRow> {
    this.look()
    const nowMs = this.#parts.nowMs()
    return Array.from(this.#legs.values(), ({ leg }) => {
      const { account, objective, state } = leg
      const { stream, sink, epoch } = account
      return { stream, sink, epoch, ...objective, state, burns: leg.burns(this.#parts.windows, nowMs) }
    })
  }

  /** Looks at all legs, and tells what has changed. */
  look(): void {
    if (this.#isClosed) return
    const { windows, watched } = this.#parts
    const nowMs = this.#parts.nowMs()
    windows.read(nowMs)
    const gone = new Set(this.#legs.keys())
    for (const { objective, legs } of watched()) {
      for (const account of legs) {
        gone.delete(account)
        this.#lookAt(account, objective, nowMs)
      }
    }
    for (const account of gone) this.#forget(account, nowMs)
  }

  #lookAt(account: WriteAccount, objective: Objective, nowMs: number): void {
    const found = this.#legs.get(account)
    const leg =
      found !== undefined && isSame(found.leg.objective, objective) ? found.leg : this.#take(account, objective)
    const { state, burnsSinceMs } = found?.leg ?? leg
    leg.look(this.#parts.windows, nowMs)
    leg.burnsSinceMs = state === "ok" ? nowMs : burnsSinceMs
    if (leg.state !== state) this.#tell(leg, nowMs)
  }

  /** With an objective that it has not had so far. */
  #take(account: WriteAccount, objective: Objective): LegObjective {
    this.#legs.get(account)?.unreport()
    const leg = new LegObjective(account, objective)
    this.#legs.set(account, { leg, unreport: reportLoss(leg, this.#parts.context) })
    return leg
  }

  /** Its stream has closed, or has no objective any more. */
  #forget(account: WriteAccount, nowMs: number): void {
    const found = this.#legs.get(account)
    found?.unreport()
    this.#legs.delete(account)
    if (found === undefined || found.leg.state === "ok") return
    found.leg.alert = undefined
    this.#tell(found.leg, nowMs)
  }

  #tell(leg: LegObjective, nowMs: number): void {
    const { alert } = leg
    const sentence = alert === undefined ? endOf(leg, nowMs) : beginOf(leg, alert, this.#parts.windows, nowMs)
    Effect.runForkWith(this.#parts.context)(Telemetry.warn(sentence))
  }

  readonly #run: Effect.Effect<void> = Effect.scoped(
    Effect.gen({ self: this }, function* () {
      // A short program loses events too.
      yield* beforeExit(() => this.look())
      do {
        yield* idleSleep(lookEveryMs)
        this.look()
      } while (this.#legs.size > 0)
      this.#looking = undefined
    })
  )
}

function isSame(one: Objective, other: Objective): boolean {
  return one.loss === other.loss && one.windowMs === other.windowMs
}

function beginOf(leg: LegObjective, { state, longMs }: BurnAlert, windows: Windows, nowMs: number): string {
  const { account, objective } = leg
  const { lost, ended, coversMs } = leg.endedIn(longMs)
  const { dropped } = windows.leg(account, longMs, nowMs)
  const reasons = Object.entries(dropped).toSorted(([, one], [, other]) => other - one)
  const named = reasons.slice(0, reasonsMax).map(([reason, count]) => `${reason} ${count}`)
  const allowed = `${Number((objective.loss * 100).toPrecision(6))} % in ${lengthText(objective.windowMs)}`
  const times = `${Number(leg.burnIn(longMs).toPrecision(2))} times`
  const within = coversMs < longMs ? `${lengthText(coversMs)} since the opening` : lengthText(longMs)
  return `${account.sink} loses events of ${account.stream} ${times} as fast as the objective of ${allowed} allows (${state}): ${lost} of ${ended} were dropped in ${within} (${named.join(", ")})`
}

function endOf({ account, burnsSinceMs }: LegObjective, nowMs: number): string {
  return `${account.sink} no longer loses events of ${account.stream} faster than the objective allows, after ${lengthText(nowMs - burnsSinceMs)}`
}

function lengthText(ms: number): string {
  return Duration.format(Duration.millis(Math.round(ms / 1000) * 1000))
}
