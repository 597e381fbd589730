/** What a screen needs of a terminal; `process.stdout` is one. */
export interface Terminal {
  readonly columns: number
  readonly rows: number
  readonly writableNeedDrain: boolean
  readonly write: (text: string) => unknown
}

// The alternate screen keeps what stood on the terminal; without wrapping a line that is too wide harms nobody else's.
const enter = "\u001B[?1049h\u001B[?25l\u001B[?7l"
const leave = "\u001B[?7h\u001B[?25h\u001B[?1049l"
const home = "\u001B[H"
const restOfLine = "\u001B[K"
/** The terminal shows what comes between at once, where it knows this. */
const together = ["\u001B[?2026h", "\u001B[?2026l"] as const

/** The alternate screen of a terminal. */
export class Screen {
  readonly #terminal: Terminal
  #isOn = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  get isOn(): boolean {
    return this.#isOn
  }

  /** Shows as many lines as the terminal has rows. */
  show(lines: ReadonlyArray<string>): void {
    // A terminal that does not keep up misses frames, and nobody waits for it.
    if (this.#terminal.writableNeedDrain) return
    // Erased before it is written: behind a line that is as wide as the terminal the cursor stands on its last character.
    const text = lines.map((line) => `${restOfLine}${line}`).join("\r\n")
    this.#terminal.write(`${this.#isOn ? "" : enter}${together[0]}${home}${text}${together[1]}`)
    this.#isOn = true
  }

  /** Gives back the terminal as it was. */
  leave(): void {
    if (this.#isOn) this.#terminal.write(leave)
    this.#isOn = false
  }
}
