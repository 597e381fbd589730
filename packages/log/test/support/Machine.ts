import type { ClockSource } from "../../src/clock.js"

/** A machine whose clocks a test sets: true time, and a wall clock that is wrong by `wrongMs`. */
export class Machine {
  trueMs = 1_800_000_000_000
  wrongMs = 0
  #boots = 1
  #monotonicMs = 5000
  readonly clock: ClockSource

  /** Without a name of its clock, as on other systems than Linux. */
  constructor(hasName = true) {
    const nameNow = () => (hasName ? `boot${this.#boots} time:[1]` : undefined)
    this.clock = {
      get name() {
        return nameNow()
      },
      monotonicMs: () => this.#monotonicMs,
      wallMs: () => this.trueMs + this.wrongMs
    }
  }

  pass(ms: number): void {
    this.trueMs += ms
    this.#monotonicMs += ms
  }

  suspend(ms: number): void {
    this.trueMs += ms
  }

  /** Off for so long, and on again. Whoever had the log open has to open it again. */
  reboot(offMs: number): void {
    this.trueMs += offMs
    this.#monotonicMs = 3000
    this.#boots++
  }
}
