import type { LogLine } from "../../gen/risk/v1/log.ts"
import type { Line } from "../Line.ts"
import { pieceBytesMax, type TextLine } from "../TextLines.ts"
import type { Known } from "./Known.ts"
import { knownOf } from "./knownOf.ts"
import { LineClock } from "./LineClock.ts"
import { loginFailure } from "./loginFailure.ts"
import { severityOfWords } from "./severity.ts"
import { Trace } from "./Trace.ts"

/** An event whose last line may be still to come. */
interface Open {
  readonly ref: string
  readonly known: Known
  readonly host: string
  readonly atUs: bigint
  readonly lines: Array<string>
  bytes: number
}

/**
 * Turns the lines of one log into events: each line that is text is one, with the lines of a trace that go on with it. What a line says of
 * itself is taken out; a time or a host that it does not say is that of the line before. One event is held at most, of `pieceBytesMax`.
 */
export class LogReader {
  readonly #name: string
  readonly #clock: LineClock
  readonly #trace = new Trace()
  #host: string
  #open: Open | undefined
  #blanks = 0

  /**
   * `name` is what the lines are called by, `writtenMs` when the file was written, in epoch milliseconds. A line before the first host is of a
   * host with the name of the file.
   */
  constructor(name: string, writtenMs: number) {
    this.#name = name
    this.#clock = new LineClock(writtenMs)
    this.#host = /([^/]+?)(?:\.\w{1,8})?$/.exec(name.slice(-255))?.[1] ?? name
  }

  /** What is known to be whole after one more line. */
  push({ number, piece, text }: TextLine): ReadonlyArray<Line> {
    const ref = `${this.#name}:${number}${piece === 1 ? "" : `+${piece}`}`
    if (text === undefined) {
      this.#trace.end()
      return [...this.end(), { kind: "malformed", ref, reason: "it is not UTF-8 text" }]
    }
    if (piece > 1) {
      const known = this.#open?.known ?? {}
      const whole = this.end()
      this.#begin(ref, text, { ...known, messageAt: 0 })
      return whole
    }
    if (text.trim() === "") {
      this.#trace.blank()
      this.#blanks++
      return []
    }
    const known = knownOf(text)
    const hasHead = known.messageAt > 0 || known.stamp !== undefined
    if (this.#trace.goesOn(text, hasHead) && this.#takes(text)) return []
    const whole = this.end()
    this.#begin(ref, text, known)
    return whole
  }

  /** The event that was waiting for more. */
  end(): ReadonlyArray<Line> {
    const open = this.#open
    this.#open = undefined
    this.#blanks = 0
    return open === undefined ? [] : [lineOf(open)]
  }

  #begin(ref: string, text: string, known: Known): void {
    const { stamp, host = this.#host, messageAt } = known
    this.#host = host
    const atUs = (stamp === undefined ? undefined : this.#clock.read(stamp)) ?? this.#clock.lastUs
    this.#open = { ref, known, host, atUs, lines: [text.slice(messageAt)], bytes: -1 }
  }

  /** Adds a line to the event that is open, with the blank lines before it; false where there is none, or it has no room. */
  #takes(text: string): boolean {
    const open = this.#open
    if (open === undefined) return false
    if (open.bytes < 0) open.bytes = Buffer.byteLength(open.lines[0] ?? "")
    const bytes = open.bytes + this.#blanks + 1 + Buffer.byteLength(text)
    if (bytes > pieceBytesMax) return false
    open.bytes = bytes
    open.lines.push("\n".repeat(this.#blanks) + text)
    this.#blanks = 0
    return true
  }
}

function lineOf({ ref, known, host, atUs, lines }: Open): Line {
  const { program = "", processId, component, severity } = known
  const message = lines.join("\n")
  const event: LogLine = {
    host,
    program,
    ...(processId === undefined ? {} : { processId }),
    severity: severity ?? severityOfWords(message),
    message,
    atUs,
    ...detailOf(message, component),
    inputRef: ref
  }
  return { kind: "log", event, atUs }
}

function detailOf(message: string, component: string | undefined): Pick<LogLine, "detail"> {
  const failure = loginFailure(message)
  if (failure !== undefined) return { detail: { case: "loginFailure", value: failure } }
  return component === undefined ? {} : { detail: { case: "service", value: { component } } }
}
