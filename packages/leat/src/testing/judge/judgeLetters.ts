/** Dead letters and replays: what raw reads show of them, against what was read and handled. */
import type { Header } from "../../record/Headers.ts"
import { deadLetterTopics, retryTopic } from "../../record/DeadLetter.ts"
import { type Chronicle, type GroupFact, type LetterFact, moveName, placeName, type Verdict } from "./Chronicle.ts"
import { isEnded, placeOf } from "./handlings.ts"

export function judgeLetters(chronicle: Chronicle): ReadonlyArray<Verdict> {
  return chronicle.groups.flatMap((group) => [
    ...garbledLetters(chronicle, group),
    ...garbledReplays(chronicle, group),
    ...baseless(chronicle, group),
    ...lost(chronicle, group)
  ])
}

type Bytes = Pick<LetterFact, "key" | "value" | "headers">

/** Each letter is a record that the group has read, byte for byte. */
function* garbledLetters(chronicle: Chronicle, group: GroupFact): Iterable<Verdict> {
  for (const letter of chronicle.letters) {
    if (letter.group !== group.group) continue
    const found = readAt(chronicle, group, letter.origin)
    const evidence = `the dead letter at ${placeOf(letter)}`
    if (found === undefined) yield { kind: "garbled", evidence: `${evidence} is no record that its group has read` }
    else if (!isSame(found, letter)) yield { kind: "garbled", evidence: `${evidence} is not the record that it names` }
    else if ("replays" in found && found.replays !== letter.replays)
      yield { kind: "garbled", evidence: `${evidence} counts ${letter.replays} replays, and had ${found.replays}` }
  }
}

/** The topics that a group reads. */
function topicsRead({ sink, group, fallback, delaysMs = [] }: GroupFact): ReadonlyArray<string> {
  return [topicOf(sink), ...(fallback === undefined ? [] : [fallback])].flatMap((topic) => [
    topic,
    deadLetterTopics(topic, group).replays,
    ...delaysMs.map((_, index) => retryTopic(topic, group, index + 1))
  ])
}

/** What was read there, in a topic of the group or in that of its replays. */
export function readAt(
  { copies, fallen, replays }: Chronicle,
  { sink, group, fallback }: GroupFact,
  origin: LetterFact["origin"]
): Bytes | LetterFact | undefined {
  if (origin === undefined) return undefined
  const { topic, partition, position } = origin
  const isThere = (one: { readonly partition: number; readonly position: bigint }) =>
    one.partition === partition && one.position === position
  if (topic === topicOf(sink)) return copies.find((one) => one.sink === sink && isThere(one))
  if (topic === fallback) return fallen.find((one) => one.sink === sink && isThere(one))
  return replays.find((one) => one.group === group && one.topic === topic && isThere(one))
}

/** Each replay is a letter, with one replay more. */
function* garbledReplays({ letters, replays }: Chronicle, { group }: GroupFact): Iterable<Verdict> {
  const own = letters.filter((letter) => letter.group === group)
  for (const replay of replays)
    if (replay.group === group && !own.some((one) => one.replays + 1 === replay.replays && isSame(one, replay)))
      yield { kind: "garbled", evidence: `the replay at ${placeOf(replay)} is no dead letter of its group` }
}

/** Only what has failed is set aside, and only where the policy says so; and only the group that has failed gets a replay. */
function* baseless(chronicle: Chronicle, group: GroupFact): Iterable<Verdict> {
  const own = chronicle.handlings.filter((one) => one.group === group.group)
  const failed = new Set(own.flatMap((one) => (one.isDone ? [] : [placeOf(one)])))
  for (const letter of chronicle.letters) {
    const { origin, tag } = letter
    if (letter.group !== group.group || origin === undefined) continue
    // Of a crash loop nobody has seen it fail.
    if (group.ending !== "deadLetter" || (tag !== "CrashLoop" && !failed.has(placeOf(origin))))
      yield { kind: "toldWrongly", evidence: `${letter.id} was set aside by ${group.group}, where it has not failed` }
  }
  const topics = topicsRead(group)
  for (const one of own)
    if (!topics.includes(one.topic))
      yield { kind: "toldWrongly", evidence: `group ${group.group} was given ${placeOf(one)}, which is not for it` }
}

/** A letter that was stored stays; and what was replayed is handled, dropped, or set aside again. */
function* lost(chronicle: Chronicle, group: GroupFact): Iterable<Verdict> {
  const name = group.group
  const letters = chronicle.letters.filter((one) => one.group === name)
  const set = new Set(letters.flatMap(({ origin }) => (origin === undefined ? [] : [placeName(name, origin)])))
  for (const stored of chronicle.lettersStored.keys())
    if (stored.startsWith(`${name} `) && !set.has(stored))
      yield { kind: "lost", evidence: `the dead letter of ${stored} was stored, and is not there` }
  for (const { group: of, topic, partition, position } of chronicle.resolved) {
    const isIt = (one: LetterFact) =>
      of === name && one.topic === topic && one.partition === partition && one.position === position
    const letter = letters.find(isIt)
    if (letter === undefined) continue
    if (!chronicle.replays.some((one) => one.group === name && isSame(one, letter)))
      yield { kind: "lost", evidence: `${placeOf(letter)} is told replayed, and no replay of it is there` }
  }
  if (!group.isWhole) return
  const ended = new Set(
    chronicle.handlings.flatMap((one) => (one.group === name && isEnded(group, one) ? [placeOf(one)] : []))
  )
  // What was moved is judged where it went.
  const isMoved = (replay: LetterFact) => chronicle.movesStored.has(moveName(name, replay, 1))
  for (const replay of chronicle.replays)
    if (replay.group === name && !ended.has(placeOf(replay)) && !set.has(placeName(name, replay)) && !isMoved(replay))
      yield { kind: "lost", evidence: `group ${name} settled past the replay at ${placeOf(replay)} without it` }
}

export function topicOf(sink: string): string {
  return sink.slice(sink.indexOf("/") + 1)
}

export function isSame(one: Bytes, other: Bytes): boolean {
  return (
    isEqual(one.key, other.key) &&
    isEqual(one.value, other.value) &&
    one.headers.length === other.headers.length &&
    one.headers.every((header, index) => isSameHeader(header, other.headers[index]))
  )
}

function isSameHeader([name, value]: Header, other: Header | undefined): boolean {
  return other !== undefined && name === other[0] && isEqual(value, other[1])
}

function isEqual(one: Uint8Array | null, other: Uint8Array | null): boolean {
  if (one === null || other === null) return one === other
  return Buffer.compare(one, other) === 0
}
