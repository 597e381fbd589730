import type { SecurityAlert, SosAlert } from "../gen/risk/v1/alert.ts"
import { type Paint, plain } from "./colour.ts"
import type { Beginning, Ending, Report, Status } from "./Report.ts"
import { ledgerWords, printable, securityWords, shortStream, sosWords } from "./words.ts"

/** Malformed lines named one by one before only their number is told. */
const malformedNamed = 20

/** Time between two lines of figures, in milliseconds. */
const statusEveryMs = 2000

/** Says what happens on plain lines. */
export class PlainReport implements Report {
  readonly #write: (line: string) => void
  readonly #paint: Paint
  #malformed = 0
  #sos = 0
  #security = 0
  #last: Status | undefined

  constructor(write: (line: string) => void, paint: Paint = plain) {
    this.#write = write
    this.#paint = paint
  }

  begin({ headline }: Beginning): void {
    this.#write(headline)
  }

  note(sentence: string): void {
    this.#write(sentence)
  }

  resumed(lines: number): void {
    if (lines > 0) this.#write(`going on: ${lines} lines are stored already`)
  }

  progress(): void {
    // The figures tell.
  }

  estimate(): void {
    // There are thousands.
  }

  status(status: Status): void {
    const last = this.#last
    this.#last ??= status
    if (last === undefined || status.atMs - last.atMs < statusEveryMs) return
    this.#last = status
    const seconds = (status.atMs - last.atMs) / 1000
    const rates = status.streams.map(({ stream, stored }) => {
      const before = last.streams.find((row) => row.stream === stream)?.stored ?? 0
      return `${shortStream(stream)} ${Math.round((stored - before) / seconds)}/s`
    })
    const lags = status.groups.flatMap(({ group, stream, lag }) =>
      lag === 0 ? [] : [`${group} ${lag} ${shortStream(stream)}`]
    )
    const behind = lags.length === 0 ? "" : `  |  behind: ${lags.join(", ")}`
    this.#write(this.#paint("dim", `${rates.join("  ")}  |  ledger: ${ledgerWords(status.ledger)}${behind}`))
  }

  malformed(ref: string, reason: string): void {
    this.#malformed++
    if (this.#malformed <= malformedNamed) this.#write(`malformed ${printable(ref)}: ${reason}`)
    else if (this.#malformed === malformedNamed + 1) this.#write("malformed: more lines, counted from here on")
  }

  trouble(message: string): void {
    this.#write(`${this.#paint("red", "trouble:")} ${message}`)
  }

  sos(alert: SosAlert): void {
    this.#sos++
    this.#write(`${this.#paint("red", "SOS")}  ${sosWords(alert)}`)
  }

  security(alert: SecurityAlert): void {
    this.#security++
    this.#write(`${this.#paint("yellow", "SECURITY")}  ${securityWords(alert)}`)
  }

  end({ summary, ledger, role, isComplete, faults, next }: Ending): void {
    this.#write(`\nledger: ${ledgerWords(ledger)}`)
    for (const { stream, offered, admitted } of ledger.streams)
      if (offered > 0) this.#write(`  ${stream}: ${offered} offered, ${admitted} admitted`)
    this.#write(
      `${summary.consumed} events handled, ${this.#sos} SOS and ${this.#security} security alerts, ${summary.malformed} malformed lines`
    )
    for (const fault of faults) this.#write(`${this.#paint("red", "DIFFERS")}  ${fault}`)
    if (faults.length === 0) this.#write(this.#paint("green", verdict(isComplete, role)))
    if (!summary.balanced) this.#write(`${this.#paint("red", "DIFFERS")}  the ledger does not balance`)
    if (next !== "") this.#write(next)
    this.#write(`${summary.seconds.toFixed(1)} s`)
  }

  close(): void {
    // Nothing was taken.
  }
}

function verdict(isComplete: boolean, role: Ending["role"]): string {
  if (!isComplete) return "nothing is there that the input does not say, and nothing twice"
  return role === undefined
    ? "everything that the input says arrived, once and in order"
    : `the part of ${role}: everything that the input says arrived, once and in order`
}
