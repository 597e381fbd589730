/** What legs have set aside because it could not be published: what raw reads show of it, against the journal and against what was offered. */
import type { Chronicle, LegFact, UndeliveredFact, Verdict } from "./Chronicle.ts"
import { differenceOf, legsById, mayHaveGone, timesSentMax } from "./judgeStorage.ts"

export function judgeUndelivered(chronicle: Chronicle): ReadonlyArray<Verdict> {
  const legs = legsById(chronicle)
  return [
    ...lost(chronicle),
    ...doubled(chronicle, legs),
    ...baseless(chronicle, legs),
    ...reordered(chronicle, legs),
    ...garbled(chronicle, legs)
  ]
}

type Legs = ReadonlyMap<string, LegFact>

/** Each event that is counted as dead-lettered has a letter. */
function* lost({ legs, undelivered }: Chronicle): Iterable<Verdict> {
  const there = new Set(undelivered.map(nameOf))
  for (const leg of legs.values())
    if (leg.place === "deadLettered" && !there.has(nameOf(leg)))
      yield {
        kind: "lost",
        evidence: `${leg.id} (event ${leg.serial}) is dead-lettered by ${leg.sink}, and has no letter`
      }
}

/**
 * A letter stands once for each answer to it that was lost, and once more. Letters of one range are stored with one send or several: where one has no
 * answer at all, the range is stored again. What was in a spill or a fallback is set
 * aside again by whoever is given that before it was settled.
 */
function* doubled(chronicle: Chronicle, legs: Legs): Iterable<Verdict> {
  const { undelivered, doubts, unanswered } = chronicle
  for (const [name, same] of Map.groupBy(undelivered, nameOf)) {
    const [one] = same
    const silent = unanswered.get(`${one?.sink}.undelivered/${one?.partition}`) ?? 0
    const leg = legs.get(name)
    const most = leg !== undefined && mayHaveGone(chronicle, leg) ? timesSentMax(chronicle, leg) : 1
    if (same.length > most + silent + doubtsOf(doubts, one))
      yield { kind: "doubled", evidence: `${name} has ${same.length} letters` }
  }
}

/**
 * What has a letter is dead-lettered; or it was to be, and the answer was lost, or its leat closed or crashed before it came; or another process
 * has set aside what was left in a spill or a fallback.
 */
function* baseless(chronicle: Chronicle, legs: Legs): Iterable<Verdict> {
  const { undelivered, doubts, processes } = chronicle
  const crashed = new Set(processes.flatMap(({ leat, isCrashed }) => (isCrashed ? [leat] : [])))
  for (const letter of undelivered) {
    const leg = legs.get(nameOf(letter))
    if (leg === undefined || leg.place === "deadLettered") continue
    const isUnheard = leg.place === "dropped" || crashed.has(leg.leat) || doubtsOf(doubts, letter) > 0
    const mayBe = (leg.timesSetAside > 0 && isUnheard) || mayHaveGone(chronicle, leg)
    if (!mayBe)
      yield { kind: "toldWrongly", evidence: `${letter.sink} holds a letter of ${letter.id}, which is ${leg.place}` }
  }
}

/** Letters of a bucket stand in the order of their sequences, but for those that were in doubt. */
function* reordered(chronicle: Chronicle, legs: Legs): Iterable<Verdict> {
  const { undelivered, doubts } = chronicle
  const highest = new Map<string, number>()
  for (const letter of undelivered) {
    const leg = legs.get(nameOf(letter))
    const isInDoubt = doubtsOf(doubts, letter) > 0 || doubts.has(nameOf(letter))
    // What is refused behind a full spill is set aside before what is in it, and so is what the fallback refuses.
    if (leg === undefined || leg.timesSetAside > 1 || mayHaveGone(chronicle, leg) || isInDoubt) continue
    const bucket = `${letter.sink}/${letter.partition} ${leg.id.slice(0, leg.id.lastIndexOf("/"))}`
    const before = highest.get(bucket) ?? -1
    if (leg.seq < before)
      yield { kind: "reordered", evidence: `${letter.sink} holds the letter of ${leg.id} behind that of seq ${before}` }
    highest.set(bucket, Math.max(before, leg.seq))
  }
}

/** A letter is the record as it was offered, and says where it was to be stored. */
function* garbled({ undelivered, calls }: Chronicle, legs: Legs): Iterable<Verdict> {
  for (const letter of undelivered) {
    const evidence = `the letter at ${letter.sink}.undelivered/${letter.partition}/${letter.position}`
    const call = letter.serial === undefined ? undefined : calls.get(letter.serial)
    const leg = legs.get(nameOf(letter))
    const { topic, partition } = letter.meantFor
    if (!letter.sink.endsWith(`/${topic}`) || partition !== letter.partition || letter.stage !== "publish")
      yield { kind: "garbled", evidence: `${evidence} names ${topic}/${partition}, stage ${letter.stage}` }
    if (call === undefined || leg === undefined || leg.serial !== letter.serial) {
      yield { kind: "garbled", evidence: `${evidence} is of event ${letter.serial}, and has the id of ${leg?.serial}` }
      continue
    }
    const difference = differenceOf(call, letter)
    if (difference !== undefined)
      yield { kind: "garbled", evidence: `${evidence}, event ${letter.serial}: ${difference}` }
  }
}

/** How often the answer to a letter was lost. */
function doubtsOf(doubts: ReadonlyMap<string, number>, letter: UndeliveredFact | undefined): number {
  return doubts.get(`${letter?.sink}.undelivered ${letter?.id ?? "no id"}`) ?? 0
}

function nameOf({ sink, id }: Pick<UndeliveredFact, "sink"> & { readonly id: string | undefined }): string {
  return `${sink} ${id ?? "no id"}`
}
