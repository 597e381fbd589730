/** Readers of a stream that is moved, in worlds that are drawn. What must hold is asked of raw reads, and of what handlers saw. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Epoch } from "../../src/control/Placement.ts"
import type { RawRecord } from "./MovedStream.ts"
import { lifeOf, type LifeEnd, worldDrawn } from "./movedWorld.ts"

/** The epoch in whose range a record lies, and of which it counts. */
const epochOf = ({ life: { epochs, drawn } }: LifeEnd, record: RawRecord): Epoch | undefined =>
  epochs.find(({ epoch, place, begin, end }) => {
    const [first, behind] = [begin?.[record.partition] ?? Infinity, end?.[record.partition] ?? Infinity]
    const isThere = place.topic === record.topic && record.position >= first && record.position < behind
    return isThere && (record.epoch === undefined || record.epoch < drawn.epoch || record.epoch === epoch)
  })

const nameOf = ({ topic, partition, position }: Pick<RawRecord, "topic" | "partition" | "position">) =>
  `${topic}/${partition}@${position}`

/** Events of the ranges that nobody has handled. */
const missingIn = (end: LifeEnd, happenings = end.life.happened.length) => {
  const happened = end.life.happened.slice(0, happenings)
  const handled = new Set(happened.flatMap(({ call, what }) => (what === "handled" ? [call.event] : [])))
  return end.raw.filter((one) => one.event !== undefined && epochOf(end, one) !== undefined && !handled.has(one.event))
}

/** Events that were given to a handler for the first time before all earlier ones of their key were handled. */
const disorderIn = ({ life: { happened } }: LifeEnd) => {
  const handled = new Map<string, Set<number>>()
  const called = new Set<string>()
  const wrong: Array<string> = []
  for (const { call, what } of happened) {
    const [writer = "", key = "", seq = ""] = call.event.split("/")
    const own = handled.get(`${writer}/${key}`) ?? new Set<number>()
    handled.set(`${writer}/${key}`, own)
    if (what === "handled") own.add(Number(seq))
    else if (!called.has(call.event)) {
      called.add(call.event)
      for (let before = 0; before < Math.min(Number(seq), 1000); before++)
        if (!own.has(before)) wrong.push(`${call.event} in ${nameOf(call)}, before ${writer}/${key}/${before}`)
    }
  }
  return wrong
}

/** What is in the ranges, epoch by epoch, and the partitions of each one after the other. */
const storedIn = (end: LifeEnd) => {
  const { epochs } = end.life
  const of = (one: RawRecord) => {
    const epoch = epochOf(end, one)
    return one.event === undefined || epoch === undefined ? [] : [{ ...one, epoch }]
  }
  const at = (one: ReturnType<typeof of>[number]) => [epochs.indexOf(one.epoch), one.partition, one.position] as const
  return end.raw
    .flatMap(of)
    .toSorted((one, other) => {
      const [mine, theirs] = [at(one), at(other)]
      const differs = mine.findIndex((value, index) => value !== theirs[index])
      return (mine[differs] ?? 0) - (theirs[differs] ?? 0)
    })
    .map((one) => `${one.epoch.place.cluster} ${nameOf(one)} ${one.event}`)
}

/** When a member heard where an epoch ends; from then on it reads nothing that is stored behind it. */
const heardAtMs = ({ life }: LifeEnd, member: number, epoch: number): number => {
  const at = life.moved.states.findIndex((state) =>
    state.streams.get("test.notes")?.epochs.some((one) => one.epoch === epoch && one.end !== undefined)
  )
  return life.members[member]?.heardAtMs[at] ?? Infinity
}

const outsideIn = (end: LifeEnd) => {
  const raw = new Map(end.raw.map((one) => [nameOf(one), one]))
  return end.life.happened.flatMap(({ call, what }) => {
    const record = raw.get(nameOf(call))
    if (what === "handled" || record === undefined) return record === undefined ? [nameOf(call)] : []
    if (epochOf(end, record) !== undefined) return []
    // It was stored behind the end of its own epoch before this member knew of one: it is late, and delivers it.
    const own = end.life.epochs.find(({ epoch }) => epoch === record.epoch)
    const isBehind = own?.place.topic === record.topic && record.position >= (own.end?.[record.partition] ?? Infinity)
    return isBehind && record.timeMs <= heardAtMs(end, call.member, own.epoch) ? [] : [nameOf(call)]
  })
}

/** Partitions that are not settled up to where their last epoch ends. */
const unsettledIn = ({ life: { epochs }, settled, ends }: LifeEnd) =>
  epochs.flatMap(({ place: { topic, partitions }, begin, end }) =>
    Array.from({ length: partitions }, (_, partition) => partition).flatMap((partition) => {
      const behind = end?.[partition] ?? ends.get(topic)?.[partition] ?? 0
      const at = Math.max(settled.get(topic)?.[partition] ?? 0, begin?.[partition] ?? 0)
      return at >= behind ? [] : [`${topic}/${partition}: ${at} of ${behind}`]
    })
  )

/** Topics in which members are that have nothing to read there, or none is. */
const wrongMembersIn = ({ life: { epochs }, topics }: LifeEnd) => {
  const last = epochs.at(-1)?.place.topic
  return [...topics].filter(([topic, count]) => count !== (topic === last ? 1 : 0))
}

describe("a group whose stream is moved", () => {
  it("handles all of each epoch in order, nothing else, and leaves nothing open", { timeout: 120_000 }, () => {
    const reached = new Map<string, number>()
    const count = (what: string, is: boolean) => void reached.set(what, (reached.get(what) ?? 0) + (is ? 1 : 0))
    fc.assert(
      fc.property(worldDrawn, fc.integer(), (drawn, seed) => {
        const end = lifeOf(drawn, seed)
        expect({
          missing: missingIn(end).map(nameOf),
          notCaughtUp: missingIn(end, end.caughtUpAt).map(nameOf),
          lag: end.lag,
          disorder: disorderIn(end),
          outside: outsideIn(end),
          unsettled: unsettledIn(end),
          members: wrongMembersIn(end)
        }).toEqual({ missing: [], notCaughtUp: [], lag: 0n, disorder: [], outside: [], unsettled: [], members: [] })
        expect(end.history).toEqual(storedIn(end))
        const { life } = end
        for (const { ledger } of life.members.filter(({ isDead }) => !isDead))
          expect(ledger.snapshot().lanes.filter(({ balanced }) => !balanced)).toEqual([])
        expect([...life.counts.values()].every((one) => one === 0)).toBe(true)
        const topics = life.epochs.map(({ place }) => place.topic)
        count("moved", topics.length > 1)
        count("back", new Set(topics).size < topics.length)
        count("swept", life.swept > 0)
        count("three at once", life.drawn.moves.filter(({ isRetired }) => !isRetired).length > 1 && topics.length > 2)
        count(
          "killed",
          life.members.some(({ isDead }) => isDead)
        )
        count("several members", life.members.length > 1)
        count(
          "late delivery",
          end.life.happened.some(({ call }) =>
            end.raw.some((one) => nameOf(one) === nameOf(call) && epochOf(end, one) === undefined)
          )
        )
        const calls = life.happened.flatMap(({ call, what }) => (what === "called" ? [call] : []))
        const handled = calls.filter(({ isHandled }) => isHandled)
        count("tried again", calls.length > handled.length)
        count("comes again", new Set(handled.map(nameOf)).size < handled.length)
        count("batches", drawn.kind === "batch" && calls.length > 0)
        count("a loop", drawn.kind === "loop" && calls.length > 0)
        count("away", drawn.awayMs > 0 && topics.includes("b"))
        count("settles fail", drawn.settleFails > 0 && topics.length > 1)
        count("questions fail", drawn.boundsFails > 0 && topics.length > 1)
        count(
          "older",
          drawn.older.some(({ to }) => topics.includes(to))
        )
      }),
      { numRuns: Number(process.env["LEAT_RUNS"] ?? 60) }
    )
    expect([...reached].filter(([, times]) => times === 0)).toEqual([])
  })
})
