import type { Line } from "./Line.ts"
import type { TextLine } from "./TextLines.ts"

/** Fields of a line: time, sensor, beacon, RSSI, x, y, z, and nine of an orientation that is not used. */
const fieldsMin = 7

/** Longest line that may be a sighting, in characters. */
const lineCharsMax = 64 * 1024

/**
 * One line of an .mbd file: `unix seconds, sensor, beacon, RSSI dBm, x, y, z metres, ...`. Signal strengths are -127 to 20 dBm,
 * as Bluetooth's RSSI is.
 */
export function parseBeaconLine({ number, piece, text }: TextLine, name: string): Line {
  const ref = `${name}:${number}`
  if (text === undefined) return malformed(ref, "it is not UTF-8 text")
  if (piece > 1 || text.length > lineCharsMax) return malformed(ref, "it is too long")
  const fields = text.split(",")
  if (fields.length < fieldsMin) return malformed(ref, `${fields.length} fields, at least ${fieldsMin} are needed`)
  const [seconds = "", sensorId = "", beaconId = "", rssi = "", ...rest] = fields.map((field) => field.trim())
  if (!/^\d{1,11}(\.\d{1,9})?$/.test(seconds)) return malformed(ref, "the first field is no time in unix seconds")
  if (sensorId === "" || beaconId === "") return malformed(ref, "sensor or beacon is missing")
  const rssiDbm = Number(rssi)
  if (rssi === "" || !Number.isInteger(rssiDbm) || rssiDbm < -127 || rssiDbm > 20)
    return malformed(ref, "the RSSI is no whole number of dBm")
  const [x = Number.NaN, y = Number.NaN, z = Number.NaN] = rest
    .slice(0, 3)
    .map((field) => (field === "" ? Number.NaN : Number(field)))
  if (![x, y, z].every(Number.isFinite)) return malformed(ref, "the position is not three numbers")
  const atUs = microseconds(seconds)
  const event = { beaconId, sensorId, rssiDbm, seenAtUs: atUs, groundTruth: { xM: x, yM: y, zM: z }, inputRef: ref }
  return { kind: "sighting", event, atUs }
}

/** Exact, where a floating-point number would round. */
function microseconds(seconds: string): bigint {
  const [whole = "0", fraction = ""] = seconds.split(".")
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0").slice(0, 6))
}

function malformed(ref: string, reason: string): Line {
  return { kind: "malformed", ref, reason }
}
