import type { Clock, Duration } from "effect"
import { Effect } from "effect"
import type { WallTime } from "../judge/Chronicle.ts"

/** A clock whose wall time jumps, as after a correction or a pause of the machine, while its monotonic time goes on. */
export class WallClock implements Clock.Clock {
  readonly #inner: Clock.Clock
  #offsetMs = 0
  /** How often it has jumped. */
  jumps = 0

  constructor(inner: Clock.Clock) {
    this.#inner = inner
  }

  jump(ms: number): void {
    this.#offsetMs += ms
    this.jumps++
  }

  get wallTime(): WallTime {
    return { ms: this.currentTimeMillisUnsafe(), jumps: this.jumps }
  }

  currentTimeMillisUnsafe(): number {
    return this.#inner.currentTimeMillisUnsafe() + this.#offsetMs
  }

  currentTimeNanosUnsafe(): bigint {
    return this.#inner.currentTimeNanosUnsafe() + BigInt(this.#offsetMs) * 1_000_000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.#inner.monotonicTimeNanosUnsafe()
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return this.#inner.sleep(duration)
  }
}
