/** What raw reads show, against what was offered and told. */
import type { Call, Chronicle, Copy, LegFact, Verdict } from "./Chronicle.ts"

export function judgeStorage(chronicle: Chronicle): ReadonlyArray<Verdict> {
  return [...lost(chronicle), ...doubled(chronicle), ...reordered(chronicle), ...garbled(chronicle)]
}

/** Copies by sink and id. */
function copiesById({ copies }: Chronicle): ReadonlyMap<string, ReadonlyArray<Copy>> {
  const found = new Map<string, Array<Copy>>()
  for (const copy of copies) {
    const name = `${copy.sink} ${copy.id ?? "no id"}`
    const same = found.get(name)
    if (same === undefined) found.set(name, [copy])
    else same.push(copy)
  }
  return found
}

function* lost(chronicle: Chronicle): Iterable<Verdict> {
  const copies = copiesById(chronicle)
  for (const leg of chronicle.legs.values())
    if (leg.place === "stored" && !copies.has(`${leg.sink} ${leg.id}`))
      yield {
        kind: "lost",
        evidence: `${leg.id} (event ${leg.serial}) was acknowledged by ${leg.sink}, which has no copy`
      }
  const serials = new Set(chronicle.copies.map(({ sink, serial }) => `${sink} ${serial}`))
  for (const call of chronicle.calls.values()) {
    if (call.said !== "stored") continue
    for (const sink of requiredOf(chronicle, call))
      if (!serials.has(`${sink} ${call.serial}`))
        yield { kind: "lost", evidence: `event ${call.serial} was told stored, and ${sink} has no copy` }
  }
}

function* doubled(chronicle: Chronicle): Iterable<Verdict> {
  const legs = legsById(chronicle)
  for (const [name, same] of copiesById(chronicle)) {
    const leg = legs.get(name)
    if (leg !== undefined && leg.attempts > 0 && same.length > leg.attempts)
      yield {
        kind: "doubled",
        evidence: `${leg.sink} holds ${same.length} copies of ${leg.id} after ${leg.attempts} attempts`
      }
  }
  const idOf = new Map<string, string | undefined>()
  for (const { sink, serial, id } of chronicle.copies) {
    if (serial === undefined) continue
    const name = `${sink} ${serial}`
    if (idOf.has(name) && idOf.get(name) !== id)
      yield { kind: "doubled", evidence: `${sink} holds event ${serial} under two ids: ${idOf.get(name)} and ${id}` }
    idOf.set(name, id)
  }
}

/**
 * The first copies of a bucket stand in the order of their sequences, and sequences rise in the order of the calls. What was to be set aside,
 * and is stored all the same because its letter was refused, stands behind later ones.
 */
function* reordered(chronicle: Chronicle): Iterable<Verdict> {
  const legs = legsById(chronicle)
  const highest = new Map<string, number>()
  const seen = new Set<string>()
  for (const { sink, partition, lane, seq, id } of chronicle.copies) {
    if (id === undefined || seen.has(`${sink} ${id}`)) continue
    const leg = legs.get(`${sink} ${id}`)
    if (leg !== undefined && leg.timesSetAside > (leg.place === "deadLettered" ? 1 : 0)) continue
    seen.add(`${sink} ${id}`)
    const bucket = `${sink}/${partition} ${lane}`
    const before = highest.get(bucket) ?? -1
    if (seq < before)
      yield { kind: "reordered", evidence: `${sink} holds ${id} first behind seq ${before} of its bucket` }
    highest.set(bucket, Math.max(before, seq))
  }
  for (const stream of chronicle.streams) if (stream.isOrdered) yield* callsReordered(chronicle, stream.stream)
}

function* callsReordered(chronicle: Chronicle, stream: string): Iterable<Verdict> {
  const legOf = new Map(Array.from(chronicle.legs.values(), (leg) => [leg.serial ?? -1, leg]))
  const byKey = Map.groupBy(
    Array.from(chronicle.calls.values()).filter((call) => call.stream === stream && legOf.has(call.serial)),
    ({ leat, key }) => `${leat} ${key}`
  )
  for (const calls of byKey.values())
    for (const later of calls)
      for (const earlier of calls) {
        if (earlier.endedAt === undefined || earlier.endedAt > later.beganAt) continue
        const [first, second] = [legOf.get(earlier.serial), legOf.get(later.serial)]
        if (first === undefined || second === undefined) continue
        if (first.bucket !== second.bucket || first.seq > second.seq)
          yield { kind: "reordered", evidence: `${second.id} was offered after the call of ${first.id} had ended` }
      }
}

function* garbled(chronicle: Chronicle): Iterable<Verdict> {
  const serialOf = new Map(Array.from(chronicle.legs.values(), ({ id, serial }) => [id, serial]))
  for (const copy of chronicle.copies) {
    const place = `position ${copy.position} of ${copy.sink}/${copy.partition}`
    const call = copy.serial === undefined ? undefined : chronicle.calls.get(copy.serial)
    if (call === undefined) {
      yield { kind: "garbled", evidence: `${place} is no event that was offered` }
      continue
    }
    const serial = copy.id === undefined ? undefined : serialOf.get(copy.id)
    if (serial !== copy.serial)
      yield {
        kind: "garbled",
        evidence: `${place} holds event ${copy.serial} under ${copy.id}, the id of event ${serial}`
      }
    const difference = differenceOf(call, copy)
    if (difference !== undefined) yield { kind: "garbled", evidence: `${place}, event ${copy.serial}: ${difference}` }
  }
}

/** What of a record is not as it was offered; undefined when everything is. */
export function differenceOf(call: Call, copy: Pick<Copy, "key" | "value" | "headers">): string | undefined {
  if (!isEqual(call.value, copy.value)) return "another value than was offered"
  if (copy.key !== null && Buffer.from(copy.key).toString() !== call.key) return "another key than was offered"
  const own = copy.headers.filter(([name]) => call.headers.some(([expected]) => expected === name))
  const isSame =
    own.length === call.headers.length &&
    own.every(
      ([name, value], index) => name === call.headers[index]?.[0] && isEqual(value, call.headers[index]?.[1] ?? null)
    )
  return isSame ? undefined : "other headers than were offered"
}

function isEqual(one: Uint8Array | null, other: Uint8Array | null): boolean {
  if (one === null || other === null) return one === other
  return Buffer.compare(one, other) === 0
}

/** Legs by sink and id; ids name the incarnation, so a sink of two leats is no trouble. */
export function legsById({ legs }: Chronicle): ReadonlyMap<string, LegFact> {
  return new Map(Array.from(legs.values(), (leg) => [`${leg.sink} ${leg.id}`, leg]))
}

export function requiredOf({ streams }: Chronicle, { stream }: Call): ReadonlyArray<string> {
  return streams.find((one) => one.stream === stream)?.required ?? []
}
