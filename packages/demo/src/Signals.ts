/** Exit codes of signals, as shells give them. */
const codes = { SIGINT: 130, SIGTERM: 143 } as const

/** A second signal within this time is the first one again: npm passes on what the terminal has sent to all, in milliseconds. */
const echoMs = 250

/** What signals come from; `process` is one. */
export interface SignalSource {
  readonly on: (signal: keyof typeof codes, listener: () => void) => unknown
  readonly exit: (code: number) => void
}

/**
 * Hears the signals that ask the job to stop: the first one to stop in order, the second one at once. It hears them for as long as the
 * process lives, because without a listener a signal kills.
 */
export class Signals {
  /** The signal that came; undefined while none has. */
  first: keyof typeof codes | undefined
  readonly #exit: SignalSource["exit"]
  #atMs = 0

  constructor(source: SignalSource) {
    this.#exit = (code) => source.exit(code)
    for (const signal of ["SIGINT", "SIGTERM"] as const) source.on(signal, () => this.#heard(signal))
  }

  get exitCode(): number {
    return this.first === undefined ? 1 : codes[this.first]
  }

  #heard(signal: keyof typeof codes): void {
    const nowMs = performance.now()
    if (this.first === undefined) {
      this.first = signal
      this.#atMs = nowMs
    } else if (nowMs - this.#atMs > echoMs) this.#exit(codes[signal])
  }
}
