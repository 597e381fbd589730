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
  // What its fallback had first is judged with that.
  const fell = Array.from(chronicle.legs.values()).filter(({ fellBackAt }) => fellBackAt !== undefined)
  const serials = new Set([...chronicle.copies, ...fell].map(({ sink, serial }) => `${sink} ${serial}`))
  // Nobody was told the id of some of those, and whoever sent them on has dropped them: they may be any event.
  const unnamed = fell.filter(({ serial }) => serial === undefined)
  const left = new Map(Array.from(Map.groupBy(unnamed, placeOf), ([place, legs]) => [place, legs.length]))
  for (const call of chronicle.calls.values()) {
    if (call.said !== "stored") continue
    for (const sink of requiredOf(chronicle, call)) {
      if (serials.has(`${sink} ${call.serial}`)) continue
      const place = placeOf({ ...call, sink })
      const count = call.saidId === undefined ? (left.get(place) ?? 0) : 0
      left.set(place, count - 1)
      if (count <= 0) yield { kind: "lost", evidence: `event ${call.serial} was told stored, and ${sink} has no copy` }
    }
  }
}

function placeOf({ leat, sink, stream }: Pick<LegFact, "leat" | "sink" | "stream">): string {
  return `${leat} ${sink} ${stream}`
}

function* doubled(chronicle: Chronicle): Iterable<Verdict> {
  const legs = legsById(chronicle)
  for (const [name, same] of copiesById(chronicle)) {
    const leg = legs.get(name)
    if (leg === undefined || leg.attempts === 0) continue
    const most = attemptsMax(chronicle, leg)
    if (same.length > most)
      yield {
        kind: "doubled",
        evidence: `${leg.sink} holds ${same.length} copies of ${leg.id}, and ${most} can be explained (${leg.attempts} attempts)`
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
 * and is stored all the same because its letter was refused, stands behind later ones; and so may what one process has set aside or dropped out of
 * a spill or a fallback and not settled, and the next one has sent.
 */
function* reordered(chronicle: Chronicle): Iterable<Verdict> {
  yield* bucketsReordered(chronicle, chronicle.copies, "")
  yield* bucketsReordered(chronicle, chronicle.fallen, "the fallback of ")
  for (const stream of chronicle.streams) if (stream.isOrdered) yield* callsReordered(chronicle, stream.stream)
}

function* bucketsReordered(chronicle: Chronicle, copies: ReadonlyArray<Copy>, where: string): Iterable<Verdict> {
  const legs = legsById(chronicle)
  const highest = new Map<string, number>()
  const seen = new Set<string>()
  for (const { sink, partition, cluster = "", lane, seq, id } of copies) {
    // What had no answer of one fallback may stand in the next one too.
    if (id === undefined || seen.has(`${sink} ${cluster} ${id}`)) continue
    const leg = legs.get(`${sink} ${id}`)
    if (leg !== undefined && leg.timesSetAside > (leg.place === "deadLettered" && leg.timesSpilled === 0 ? 1 : 0))
      continue
    if (leg !== undefined && (mayEndTwice(chronicle, leg) || mayLandLate(chronicle, leg))) continue
    seen.add(`${sink} ${cluster} ${id}`)
    const bucket = `${sink}/${partition} ${cluster} ${lane}`
    const before = highest.get(bucket) ?? -1
    if (seq < before)
      yield { kind: "reordered", evidence: `${where}${sink} holds ${id} first behind seq ${before} of its bucket` }
    highest.set(bucket, Math.max(before, seq))
  }
}

/**
 * It had no answer of its destination, was refused by the fallback, and has ended otherwise: it is not sent on from there. Those behind it are. The process that has sent it fences its
 * sink before that; another one cannot, so it may still land behind them (decision 41).
 */
function mayLandLate({ fallbacks, processes }: Chronicle, { leat, sink, place, attempts }: LegFact): boolean {
  const hasOthers = processes.some((process) => process.leat !== leat)
  return hasOthers && fallbacks.has(sink) && (place === "deadLettered" || place === "dropped") && attempts > 1
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
  for (const copy of [...chronicle.copies, ...chronicle.fallen]) {
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

/** Whether it is, or may be, that it was in a spill or a fallback: a process that is gone, or had no answer, may not know. */
export function mayHaveGone(chronicle: Chronicle, leg: LegFact): boolean {
  const { doubts } = chronicle
  const isInDoubt = doubts.has(`${leg.sink}.spill ${leg.id}`) || doubts.has(`${leg.sink}.fallback ${leg.id}`)
  return leg.timesSpilled > 0 || hasFallen(chronicle, leg) || isInDoubt || chronicle.ownersOf(leg) > 1
}

/**
 * How often what was in a spill or a fallback may be sent on, or set aside: once for each time that it stands there, once more for each answer that
 * was lost, and once more for each process that was given it: what the one before has sent on and not settled it sends again.
 */
export function timesSentMax(chronicle: Chronicle, leg: LegFact): number {
  const { doubts } = chronicle
  const inDoubt = (place: string) => doubts.get(`${place} ${leg.id}`) ?? 0
  const given = Math.max(1, chronicle.ownersOf(leg), chronicle.fallbacks.get(leg.sink)?.given ?? 0)
  return given + inDoubt(leg.sink) + inDoubt(`${leg.sink}.spill`) + inDoubt(`${leg.sink}.fallback`)
}

/**
 * Whether it may have ended twice: a process has set it aside, or dropped it, out of a spill or a fallback, and another one has sent it again; or it
 * stood there twice, because the answer to its first append was lost.
 */
export function mayEndTwice(chronicle: Chronicle, leg: LegFact): boolean {
  if (chronicle.doubts.has(`${leg.sink}.fallback ${leg.id}`)) return true
  if (hasFallen(chronicle, leg))
    return (chronicle.fallbacks.get(leg.sink)?.given ?? 0) > 1 && endsOtherwise(chronicle, leg)
  if (chronicle.doubts.has(`${leg.sink}.spill ${leg.id}`)) return true
  const hasEnded = leg.place === "deadLettered" || leg.place === "dropped"
  return leg.timesSpilled > 0 && chronicle.ownersOf(leg) > (hasEnded ? 1 : 2)
}

/** Whether whoever sends on from a fallback has dropped something there, or has set this one aside. */
function endsOtherwise({ legBooks, undelivered }: Chronicle, { sink, id }: LegFact): boolean {
  return (
    undelivered.some((letter) => letter.sink === sink && letter.id === id) ||
    legBooks.some((books) => books.sink === sink && books.recovered > 0 && books.dropped > 0)
  )
}

/** Whether a fallback has stored it. A process that crashed before it heard so does not count it, and others send it on. */
function hasFallen({ storedInFallback }: Chronicle, { sink, id, fellBackAt }: LegFact): boolean {
  return fellBackAt !== undefined || storedInFallback.has(`${sink} ${id}`)
}

/** How often it may be stored: what was heard to be stored is not sent again, so each other copy is one whose answer said nothing. */
function attemptsMax(chronicle: Chronicle, leg: LegFact): number {
  if (!mayHaveGone(chronicle, leg))
    return Math.min(leg.attempts, 1 + (chronicle.doubts.get(`${leg.sink} ${leg.id}`) ?? 0))
  // Of the attempts that were not answered by the spill, or the fallback, each copy is one whose answer was lost.
  if (leg.timesSpilled > 0 || hasFallen(chronicle, leg)) return timesSentMax(chronicle, leg)
  return leg.attempts + timesSentMax(chronicle, leg) - 1
}

/** Legs by sink and id; ids name the incarnation, so a sink of two leats is no trouble. */
export function legsById({ legs }: Chronicle): ReadonlyMap<string, LegFact> {
  return new Map(Array.from(legs.values(), (leg) => [`${leg.sink} ${leg.id}`, leg]))
}

/** The sinks whose legs an event had to have: those that all tables have, and those that the table in force had when it was admitted. */
export function requiredOf({ streams, legs }: Chronicle, { stream, serial }: Call): ReadonlyArray<string> {
  const { required = [], mirrors = [] } = streams.find((one) => one.stream === stream) ?? {}
  const there = mirrors.filter(
    ({ sink, isRequired }) =>
      isRequired && Array.from(legs.values()).some((leg) => leg.sink === sink && leg.serial === serial)
  )
  return [...required, ...there.map(({ sink }) => sink)]
}
