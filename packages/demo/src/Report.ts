import type { LedgerSnapshot, OpenLeat } from "leat"
import type { JobArguments } from "./arguments.ts"
import type { AlertListener } from "./consumers.ts"
import type { SecurityAlert, SosAlert } from "./gen/risk/v1/alert.ts"

/** What the job says at its end. */
export interface Summary {
  readonly transport: string
  readonly offered: number
  readonly rejected: number
  readonly admitted: number
  readonly stored: number
  readonly deadLettered: number
  readonly dropped: number
  readonly pending: number
  readonly balanced: boolean
  readonly malformed: number
  /** Events handled by the groups positions, sos and security. */
  readonly consumed: number
  readonly seconds: number
  /** What differs from what the input says; empty when nothing does. */
  readonly faults: ReadonlyArray<string>
}

/** Malformed lines named one by one before only their number is told. */
const malformedNamed = 20

/** Prints what happens, as plain lines. With `--json` people read stderr, and stdout gets one object at the end. */
export class Report implements AlertListener {
  readonly #isJson: boolean
  #malformed = 0
  #sos = 0
  #security = 0
  #last = new Map<string, number>()

  constructor(isJson: boolean) {
    this.#isJson = isJson
  }

  start({ beacons, logs, isSample, speed }: JobArguments, leat: OpenLeat): void {
    if (isSample) this.#print("input: no files were found, so a generated sample of 100 beacons and mixed logs")
    else this.#print(`input: ${beacons.length} beacon files, ${logs.length} log files`)
    const pace =
      speed === "max" ? "as fast as it goes" : speed === "minute" ? "in a lively minute" : `at ${speed} times real time`
    this.#print(`playing ${pace}; this leat is ${leat.incarnation}`)
  }

  status(leat: OpenLeat): void {
    const snapshot = leat.ledger.snapshot()
    const rates = snapshot.streams.map(({ stream, admitted }) => {
      const rate = (admitted - (this.#last.get(stream) ?? 0)) / 2
      this.#last.set(stream, admitted)
      return `${stream.replace("risk.", "")} ${Math.round(rate)}/s`
    })
    this.#print(`${rates.join("  ")}  |  ${ledgerText(snapshot)}`)
  }

  malformed(ref: string, reason: string): void {
    this.#malformed++
    if (this.#malformed <= malformedNamed) this.#print(`malformed ${ref}: ${reason}`)
    else if (this.#malformed === malformedNamed + 1) this.#print("malformed: more lines, counted from here on")
  }

  trouble(message: string): void {
    this.#print(`trouble: ${message}`)
  }

  sos({ beaconId, reason }: SosAlert): void {
    this.#sos++
    if (reason?.case === "silence")
      this.#print(`SOS  ${beaconId} was silent for ${reason.value.silentUs / 1_000_000n} s`)
    else this.#print(`SOS  ${beaconId} is in the ${reason?.value.zone ?? "restricted zone"}`)
  }

  security({ host, failures }: SecurityAlert): void {
    this.#security++
    // The address is personal data: it is in the event, not on the screen.
    this.#print(`SECURITY  ${failures} failed log-ins on ${host} within a minute`)
  }

  finish(summary: Summary, leat: OpenLeat): void {
    const { faults, ...figures } = summary
    this.#print(`\n${ledgerText(leat.ledger.snapshot())}`)
    for (const { stream, offered, admitted } of leat.ledger.snapshot().streams)
      this.#print(`  ${stream}: ${offered} offered, ${admitted} admitted`)
    this.#print(
      `${summary.consumed} events handled, ${this.#sos} SOS and ${this.#security} security alerts, ${summary.malformed} malformed lines`
    )
    for (const fault of faults) this.#print(`DIFFERS  ${fault}`)
    if (faults.length === 0) this.#print("everything that the input says arrived, once and in order")
    if (!summary.balanced) this.#print("DIFFERS  the ledger does not balance")
    this.#print(`${summary.seconds.toFixed(1)} s`)
    if (this.#isJson) process.stdout.write(`${JSON.stringify(figures)}\n`)
  }

  #print(line: string): void {
    if (this.#isJson) process.stderr.write(`${line}\n`)
    else process.stdout.write(`${line}\n`)
  }
}

function ledgerText({ streams, legs, balanced }: LedgerSnapshot): string {
  const offered = streams.reduce((total, row) => total + row.offered, 0)
  const stored = legs.reduce((total, row) => total + row.stored, 0)
  const pending = legs.reduce((total, row) => total + row.queued + row.inFlight + row.inDoubt, 0)
  const dropped = legs.reduce(
    (total, row) => total + Object.values(row.dropped).reduce((sum, count) => sum + count, 0),
    0
  )
  return `ledger: ${offered} offered, ${stored} stored, ${dropped} dropped, ${pending} pending, ${balanced ? "balanced" : "NOT BALANCED"}`
}
