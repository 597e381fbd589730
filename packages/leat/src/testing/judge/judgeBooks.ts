/** What the ledgers say, against the journal and against what was asked. */
import type { Call, Chronicle, StreamBooks, Verdict } from "./Chronicle.ts"

export function judgeBooks(chronicle: Chronicle): ReadonlyArray<Verdict> {
  const evidence = [...streams(chronicle), ...legs(chronicle)]
  return evidence.map((sentence) => ({ kind: "unbalanced", evidence: sentence }))
}

function* streams(chronicle: Chronicle): Iterable<string> {
  for (const books of chronicle.streamBooks) {
    const { leat, stream, offered, admitted, waiting } = books
    const name = `leat ${leat}, stream ${stream}`
    const calls = Array.from(chronicle.calls.values()).filter((call) => call.leat === leat && call.stream === stream)
    if (waiting !== 0) yield `${name}: ${waiting} wait, and nobody is there`
    const unasked = calls.filter(isUnasked).length
    if (offered > calls.length || offered < calls.length - unasked)
      yield `${name}: ${offered} offered, and ${calls.length} calls were made`
    const own = Array.from(chronicle.legs.values()).filter((leg) => leg.leat === leat && leg.stream === stream)
    const ids = new Set(own.map(({ id }) => id)).size
    if (admitted !== ids) yield `${name}: ${admitted} admitted, and the journal has ${ids}`
    const told = calls.filter(({ said }) => isOfAdmitted(said)).length
    const gone = calls.filter(({ said }) => said === "gone").length
    if (admitted < told || admitted > told + gone)
      yield `${name}: ${admitted} admitted, ${told} were told so, and ${gone} did not wait for the answer`
    yield* rejections(books, name, chronicle)
    const fact = chronicle.streams.find((one) => one.stream === stream)
    for (const sink of fact?.required ?? []) {
      const leg = chronicle.legBooks.find((one) => one.leat === leat && one.stream === stream && one.sink === sink)
      const legAdmitted = leg?.admitted ?? 0
      if (legAdmitted !== admitted)
        yield `${name}: ${admitted} admitted, and ${legAdmitted} to its required leg ${sink}`
    }
  }
}

function* rejections({ leat, stream, rejected }: StreamBooks, name: string, { calls }: Chronicle): Iterable<string> {
  const told: Record<string, number> = {}
  for (const call of calls.values())
    if (call.leat === leat && call.stream === stream && call.said !== undefined)
      told[call.said] = (told[call.said] ?? 0) + 1
  for (const reason of new Set([...Object.keys(rejected), ...Object.keys(told)])) {
    if (reason === "gone" || isOfAdmitted(reason)) continue
    const [counted, heard] = [rejected[reason] ?? 0, told[reason] ?? 0]
    // Who was interrupted has not heard why, and may have been rejected for anything.
    const isTrue =
      reason === "interrupted"
        ? counted <= heard + (told["gone"] ?? 0)
        : counted >= heard && counted <= heard + (told["gone"] ?? 0)
    if (!isTrue) yield `${name}: ${counted} rejected (${reason}), and ${heard} were told so`
  }
}

/** Whether who is told so has published an event that was admitted. */
function isOfAdmitted(said: string | undefined): boolean {
  return said === "admitted" || said === "durable" || said === "stored" || said === "notStored"
}

const endings = {
  stored: "stored",
  fellBack: "fallen back",
  deadLettered: "dead-lettered",
  dropped: "dropped"
} as const

function* legs(chronicle: Chronicle): Iterable<string> {
  const required = new Set(chronicle.streams.flatMap((stream) => stream.required))
  for (const books of chronicle.legBooks) {
    const { leat, stream, sink, admitted, spilled, recovered } = books
    const own = Array.from(chronicle.legs.values()).filter(
      (leg) => leg.leat === leat && leg.stream === stream && leg.sink === sink
    )
    const name = `leat ${leat}, ${stream} in ${sink}${required.has(sink) ? "" : " (best effort)"}`
    const of = (place: string) => own.filter((leg) => leg.place === place).length
    if (admitted !== own.length) yield `${name}: ${admitted} admitted, and the journal has ${own.length}`
    // What another process has sent on and settled meanwhile is counted when the spill is given back, and the journal is not told.
    const taken = chronicle.ownersOf(books) > 1 ? of("spilled") - spilled : 0
    if (spilled !== of("spilled") - taken) yield `${name}: ${spilled} spilled, and the journal has ${of("spilled")}`
    let others = 0
    for (const [place, word] of Object.entries(endings)) {
      const counted = books[place as keyof typeof endings]
      const more = counted - of(place)
      others += more
      // What was recovered is of no journal.
      if (more < 0 || (more > 0 && recovered + taken === 0))
        yield `${name}: ${counted} ${word}, and the journal has ${of(place)}`
    }
    if (others !== recovered + taken)
      yield `${name}: ${recovered} recovered, and ${others} more have ended than the journal has`
  }
}

/**
 * Who is interrupted before the first step of a call has asked for nothing. So has a `publish` that has found no room and is interrupted before it
 * stands in line: it is encoded once more for that.
 */
function isUnasked({ said, api, attempts, admittedAt }: Call): boolean {
  return said === "gone" && (attempts === 0 || (api === "publish" && attempts === 1 && admittedAt === undefined))
}
