import type { SecurityAlert, SosAlert } from "../gen/risk/v1/alert.ts"
import type { PositionEstimate } from "../gen/risk/v1/beacon.ts"
import { Board } from "./Board.ts"
import type { Paint } from "./colour.ts"
import { fits, frame } from "./frame.ts"
import { PlainReport } from "./PlainReport.ts"
import type { Beginning, Ending, Report, Status } from "./Report.ts"
import { Screen, type Terminal } from "./Screen.ts"
import { securityWords, sosWords } from "./words.ts"

/** Lines that are kept until the terminal is given back. */
const keptMax = 500

/**
 * Draws what happens on the whole terminal, as long as it is large enough; on plain lines while it is not. Troubles and
 * malformed lines that were on the screen are said again when the terminal is given back.
 */
export class ScreenReport implements Report {
  readonly #terminal: Terminal
  readonly #paint: Paint
  readonly #board = new Board()
  readonly #screen: Screen
  readonly #plain: PlainReport
  readonly #kept: Array<string> = []
  #mustKeep = false
  #isClosed = false

  constructor(terminal: Terminal, paint: Paint) {
    this.#terminal = terminal
    this.#paint = paint
    this.#screen = new Screen(terminal)
    this.#plain = new PlainReport((line) => this.#line(line), paint)
  }

  begin(beginning: Beginning): void {
    this.#board.beginning = beginning
    this.#keeping(() => this.#plain.begin(beginning))
    this.draw()
  }

  note(sentence: string): void {
    this.#plain.note(sentence)
  }

  resumed(lines: number): void {
    this.#plain.resumed(lines)
  }

  progress(done: number): void {
    this.#board.progress(done)
  }

  estimate(estimate: PositionEstimate): void {
    this.#board.located(estimate)
  }

  status(status: Status): void {
    this.#board.told(status)
    this.#plain.status(status)
    this.draw()
  }

  malformed(ref: string, reason: string): void {
    this.#board.line("malformed", `${ref}: ${reason}`)
    this.#keeping(() => this.#plain.malformed(ref, reason))
  }

  trouble(message: string): void {
    this.#board.line("trouble", message)
    this.#keeping(() => this.#plain.trouble(message))
  }

  sos(alert: SosAlert): void {
    this.#board.line("SOS", sosWords(alert))
    this.#plain.sos(alert)
  }

  security(alert: SecurityAlert): void {
    this.#board.line("SECURITY", securityWords(alert))
    this.#plain.security(alert)
  }

  end(ending: Ending): void {
    this.close()
    this.#plain.end(ending)
  }

  /** Draws at once, for a terminal whose size has changed. */
  draw(): void {
    if (this.#isClosed) return
    const { columns, rows } = this.#terminal
    if (fits({ columns, rows })) this.#screen.show(frame(this.#board, { columns, rows }, this.#paint))
    else this.pause()
  }

  /** Gives the terminal back until the next frame. */
  pause(): void {
    this.#screen.leave()
    for (const line of this.#kept.splice(0)) this.#terminal.write(`${line}\n`)
  }

  close(): void {
    this.#isClosed = true
    this.pause()
  }

  #line(line: string): void {
    if (!this.#screen.isOn) this.#terminal.write(`${line}\n`)
    else if (this.#mustKeep && this.#kept.length < keptMax) this.#kept.push(line)
  }

  #keeping(say: () => void): void {
    this.#mustKeep = true
    say()
    this.#mustKeep = false
  }
}
