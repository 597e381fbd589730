import type { LedgerSnapshot } from "leat"
import type { SecurityAlert, SosAlert } from "../gen/risk/v1/alert.ts"

// How things are said, on plain lines and on the screen. Personal data stands in the events and never here.

export function sosWords({ beaconId: id, reason }: SosAlert): string {
  const beaconId = printable(id)
  return reason?.case === "silence"
    ? `${beaconId} was silent for ${reason.value.silentUs / 1_000_000n} s`
    : `${beaconId} is in the ${reason?.value.zone ?? "restricted zone"}`
}

export function securityWords({ host, failures }: SecurityAlert): string {
  return `${failures} failed log-ins on ${printable(host)} within a minute`
}

/** Text from outside, harmless to a terminal and one column for each character. */
export function printable(text: string): string {
  return text.replaceAll(/[^\u0020-\u007E]/g, "?")
}

export function ledgerWords({ streams, legs, balanced }: LedgerSnapshot): string {
  const offered = streams.reduce((total, row) => total + row.offered, 0)
  const stored = legs.reduce((total, row) => total + row.stored, 0)
  const pending = legs.reduce((total, row) => total + row.queued + row.inFlight + row.inDoubt + row.deadLettering, 0)
  const dropped = legs.reduce(
    (total, row) => total + Object.values(row.dropped).reduce((sum, count) => sum + count, 0),
    0
  )
  return `${offered} offered, ${stored} stored, ${dropped} dropped, ${pending} pending, ${balanced ? "balanced" : "NOT BALANCED"}`
}

/** `risk.beacons.sighting` without what all have in common. */
export function shortStream(stream: string): string {
  return stream.replace(/^risk\./, "")
}
