/** What callers were told, against what happened to their events. */
import type { Call, Chronicle, LegFact, Verdict } from "./Chronicle.ts"
import { legsById, requiredOf } from "./judgeStorage.ts"

/** How many later callers may be admitted before one that waits; schedulers may let some pass. */
const passedOverMax = 4

export function judgeAnswers(chronicle: Chronicle): ReadonlyArray<Verdict> {
  return [...toldWrongly(chronicle), ...storedUntold(chronicle), ...hung(chronicle), ...unfair(chronicle)]
}

function* toldWrongly(chronicle: Chronicle): Iterable<Verdict> {
  const legs = Map.groupBy(chronicle.legs.values(), ({ serial }) => serial)
  for (const call of chronicle.calls.values()) {
    const own = legs.get(call.serial) ?? []
    // What another process has sent on and settled is stored, and the journal of this one has not seen it.
    const isStored = (leg: LegFact) =>
      leg.place === "stored" || leg.place === "fellBack" || (leg.place === "spilled" && chronicle.ownersOf(leg) > 1)
    const evidence = wrongAnswer(call, requiredOf(chronicle, call), own, isStored)
    if (evidence !== undefined) yield { kind: "toldWrongly", evidence: `event ${call.serial} ${evidence}` }
  }
}

/** What is wrong with the answer to one call; undefined when nothing is. */
function wrongAnswer(
  call: Call,
  required: ReadonlyArray<string>,
  legs: ReadonlyArray<LegFact>,
  isStored: (leg: LegFact) => boolean
): string | undefined {
  const [first] = legs
  const own = required.map((sink) => legs.find((leg) => leg.sink === sink))
  const { said, saidId, room, api, admittedAt = 0, endedAt = Number.POSITIVE_INFINITY } = call
  if (admittedAt > endedAt) return "was admitted after its call had ended"
  if (said === undefined || said === "gone") return undefined
  if (said !== "admitted" && said !== "durable" && said !== "stored" && said !== "notStored") {
    if (first !== undefined) return `was told rejected (${said}), and is admitted as ${first.id}`
    return room === undefined ? undefined : `was told rejected (${said}), although ${room}`
  }
  // Which event a leg is of is not known where nobody was told its id and it was dropped.
  if (saidId === undefined && own.includes(undefined)) return undefined
  if (own.includes(undefined)) return `was told ${said}, and is not admitted to every required leg`
  if (saidId !== undefined && saidId !== first?.id) return `was told the id ${saidId}, and has ${first?.id}`
  const isTrue = (isSo: (leg: LegFact) => boolean) => own.every((leg) => leg !== undefined && isSo(leg))
  const areStored = isTrue(({ place }) => place === "stored" || place === "fellBack")
  if (said === "stored" && !isTrue(isStored)) return "was told stored, and the journal says something else"
  if (said === "durable" && !isTrue((leg) => leg.timesSpilled > 0 || isStored(leg)))
    return "was told durable, and was neither stored nor in a spill"
  return said === "notStored" && api === "publish" && areStored
    ? "was told not stored, and every required leg is"
    : undefined
}

/** What a cluster holds although the ledger says that it cannot. */
function* storedUntold(chronicle: Chronicle): Iterable<Verdict> {
  const legs = legsById(chronicle)
  for (const { sink, id } of chronicle.copies) {
    const leg = legs.get(`${sink} ${id ?? "no id"}`)
    if (leg !== undefined && leg.place !== "stored" && leg.place !== "inFlight" && !leg.mayBeStored)
      yield { kind: "toldWrongly", evidence: `${sink} holds ${id}, which is ${leg.place} and was never sent` }
  }
}

function* hung(chronicle: Chronicle): Iterable<Verdict> {
  for (const { serial, api, endedAt } of chronicle.calls.values())
    if (endedAt === undefined) yield { kind: "hung", evidence: `the ${api} of event ${serial} never ended` }
}

/** A publish that found no room queues; who comes later does not pass it, but for a few. */
function* unfair(chronicle: Chronicle): Iterable<Verdict> {
  const queues = Map.groupBy(
    Array.from(chronicle.calls.values()).filter(({ api }) => api === "publish" || api === "publishAll"),
    ({ leat, stream }) => `${leat} ${stream}`
  )
  for (const [name, calls] of queues) {
    const timeouts = [...(chronicle.timeouts.get(name) ?? [])]
    for (const call of calls) {
      const { attemptedAt, admittedAt, serial } = call
      if (attemptedAt === undefined) continue
      const until = admittedAt ?? leftAt(call, timeouts)
      if (until === undefined) continue
      const passed = calls.filter(
        (other) => other.beganAt > attemptedAt && other.admittedAt !== undefined && other.admittedAt < until
      ).length
      if (passed > passedOverMax)
        yield { kind: "unfair", evidence: `event ${serial} waited while ${passed} that came later were admitted` }
    }
  }
}

/**
 * When a call left the line because its time was over; taken out of `timeouts`. It is told later, and others may be admitted meanwhile. Of a
 * whole `publishAll` it is not known when one of them was rejected.
 */
function leftAt({ api, said, attemptedAt = 0, endedAt = 0 }: Call, timeouts: Array<number>): number | undefined {
  if (api !== "publish" || said !== "timeout") return undefined
  const at = timeouts.findIndex((tick) => tick > attemptedAt && tick <= endedAt)
  return at < 0 ? endedAt : timeouts.splice(at, 1)[0]
}
