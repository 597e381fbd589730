/** Headers that say too much, too little, or what is not so: of both wires, of dead letters and of what resolves them, and of announced drops. */
import { formatEventId, parseEventId, readMeta } from "leat"
import { type Header, readDeadLetter, readResolution } from "leat/transport"
import { mutateBytes, mutateText, oddTexts, oneOf, upTo, type Draw } from "./mutate.ts"
import type { Target } from "./Target.ts"

const stream = "risk.beacons.sighting"
const id = `0198c1d2-6a00-7000-8000-000000000000/${stream}/17/204`

/** As `leat` begins in the compact wire. */
function compact(): Uint8Array {
  const header = new Uint8Array(40)
  header[0] = 3
  header.fill(9, 1, 17)
  new DataView(header.buffer).setFloat64(17, 1_795_000_000_000, true)
  header.set([17, 204, 1, 1], 27)
  return header
}

const valid: ReadonlyArray<Header> = (
  [
    ["leat", compact()],
    ["leat-dropped", "3:17-20:overflow;3:21-22;9:1-9007199254740991:Timeout;..."],
    ["leat-dlq", '{"version":1,"stage":"handler","tag":"Timeout","atMs":5,"timeMs":4,"replays":2}'],
    ["leat-dlq", '{"version":1,"resolves":"3/17","how":"dropped","reason":"poison","by":"me","atMs":5}'],
    ["ce_specversion", "1.0"],
    ["ce_id", id],
    ["ce_source", "/sensors"],
    ["ce_type", "risk.v1.BeaconSighting"],
    ["ce_time", "2026-11-28T20:00:00.123Z"],
    ["ce_leatepoch", "3"],
    ["ce_correlationid", "17"],
    ["ce_causationid", id],
    ["content-type", "application/protobuf"],
    ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    ["tracestate", "a=1,b=2"],
    ["__dlq.errors.topic", "t"],
    ["__dlq.errors.partition", "3"],
    ["__dlq.errors.offset", "9223372036854775807"],
    ["__dlq.errors.delivery.count", "5"],
    ["__connect.errors.topic", "t"],
    ["__connect.errors.exception.message", "no"],
    ["__streams.errors.offset", "1"],
    ["kafka_dlt-original-offset", "\0\0\0\0\0\0\0\u0011"],
    ["kafka_dlt-original-partition", "\0\0\0\u0003"]
  ] satisfies ReadonlyArray<readonly [string, string | Uint8Array]>
).map(([name, value]) => [name, typeof value === "string" ? Buffer.from(value) : value])

export function drawHeaders(draw: Draw): ReadonlyArray<Header> {
  return Array.from({ length: upTo(draw, 6) }, (): Header => {
    const [name, value] = oneOf(draw, valid)
    const other = oneOf(draw, valid)[1]
    const drawn = draw()
    const odd = drawn < 0.1 ? oneOf(draw, oddTexts) : drawn < 0.2 ? mutateText(draw, name) : name
    if (draw() < 0.3) return [odd, value]
    // Texts are changed as texts too: what is no JSON any more is found at once.
    const isText = value[0] === 0x7b || draw() < 0.3
    const text = isText ? Buffer.from(mutateText(draw, Buffer.from(value).toString())) : mutateBytes(draw, value, other)
    return [odd, text]
  })
}

const headers: Target = {
  name: "headers",
  share: 150,
  give: (draw, given) => {
    const drawn = drawHeaders(draw)
    given(drawn)
    const meta = readMeta(drawn, stream)
    if (meta.id !== undefined) formatEventId(meta.id)
    for (const { from, to } of meta.dropped)
      if (!(from < to && Number.isSafeInteger(to))) throw new Error(`a range of drops from ${from} to ${to}`)
    const letter = readDeadLetter(drawn)
    const resolution = readResolution(drawn)
    if (letter !== undefined && !(letter.letter.replays >= 0)) throw new Error("replays are no count")
    return letter === undefined && resolution === undefined ? "a value" : "a dead letter"
  }
}

const ids: Target = {
  name: "id",
  share: 20,
  give: (draw, given) => {
    const text = mutateText(draw, id)
    given(text)
    const parsed = parseEventId(text)
    if (parsed !== undefined && formatEventId(parsed) !== text) throw new Error("two texts are one id")
    return parsed === undefined ? "no id" : "a value"
  }
}

/** Headers and ids. */
export const headerTargets: ReadonlyArray<Target> = [headers, ids]
