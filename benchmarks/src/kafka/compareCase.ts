/** One client, one wire, one size of value: publishing and reading, leat beside the client without it. */
import type { CaseName, ConsumingFigures, ProducingFigures } from "./figures.ts"
import { compareRecords } from "./identity.ts"
import { type Effort, eventsOfTurn, steadyPerSecond, warmUpEvents } from "./plan.ts"
import { latencyFigures, Rounds } from "./Rounds.ts"
import type { ProduceWay, SideTopics, Turn } from "./Side.ts"
import type { SideProcess } from "./SideProcess.ts"
import type { Topics } from "./Topics.ts"

export interface Bench {
  readonly topics: Topics
  readonly effort: Effort
}

export interface CaseFigures {
  readonly producing: ProducingFigures
  readonly consuming: ConsumingFigures
}

/** Part of the time of a case that publishing may have. */
const producingPart = 0.6

export async function compareCase(
  bench: Bench,
  name: CaseName,
  pair: SidePair,
  budgetMs: number
): Promise<CaseFigures> {
  const startMs = performance.now()
  const stem = `${name.client}-${name.wire}-${name.valueBytes}`
  const read = `${stem}-read`
  const topicsOf = (side: string): SideTopics => ({
    main: `${stem}-${side}`,
    bare: `${stem}-bare`,
    naive: `${stem}-naive`,
    read
  })
  const sides = { ...pair, ofLeat: topicsOf("leat"), ofRaw: topicsOf("raw") }
  const { leat, raw, ofLeat, ofRaw } = sides
  const used = [ofLeat.main, ofRaw.main, ofRaw.bare, ofRaw.naive, read]
  await bench.topics.create(used)
  const { valueBytes } = name
  const incarnation = await leat.open({ valueBytes, topics: ofLeat })
  await raw.open({ valueBytes, topics: ofRaw, incarnation })
  const producing = await compareProducing(bench, name, sides, startMs + budgetMs * producingPart)
  const consuming = await compareConsuming(bench, name, sides, producing.turnEvents, startMs + budgetMs)
  await Promise.all([leat.close(), raw.close()])
  await bench.topics.remove(used)
  return { producing, consuming }
}

export interface SidePair {
  readonly leat: SideProcess
  readonly raw: SideProcess
}

interface Sides extends SidePair {
  readonly ofLeat: SideTopics
  readonly ofRaw: SideTopics
}

async function compareProducing(
  { effort, topics }: Bench,
  name: CaseName,
  { leat, raw, ofLeat, ofRaw }: Sides,
  deadlineMs: number
): Promise<ProducingFigures> {
  const expected = new Map<string, number>()
  const produce = async (side: SideProcess, topic: string, way: ProduceWay, count: number): Promise<Turn> => {
    expected.set(topic, (expected.get(topic) ?? 0) + count)
    return side.produce(way, count)
  }
  const ways = {
    leat: (count: number) => produce(leat, ofLeat.main, "offer", count),
    raw: (count: number) => produce(raw, ofRaw.main, "best", count),
    bare: (count: number) => produce(raw, ofRaw.bare, "bare", count),
    naive: (count: number) => produce(raw, ofRaw.naive, "naive", Math.min(count, effort.naiveEvents)),
    publish: (count: number) => produce(leat, ofLeat.main, "publish", count)
  }
  for (const way of Object.values(ways)) await way(warmUpEvents)
  const { events: tried, seconds } = await ways.raw(warmUpEvents)
  const events = eventsOfTurn(effort, tried / seconds)
  const recordsCompared = await compareRecords(topics, ofLeat.main, ofRaw.main)
  const rounds = new Rounds({
    leat: () => ways.leat(events),
    raw: () => ways.raw(events),
    bare: () => ways.bare(events),
    naive: () => ways.naive(events),
    publish: () => ways.publish(events)
  })
  await rounds.run(effort.rounds, deadlineMs)
  for (const [topic, count] of expected) {
    const stored = await topics.stored(topic)
    if (stored !== count) throw new Error(`${topic} has ${stored} records, and ${count} were acknowledged`)
  }
  const ofLeatMs = latencyFigures(await leat.latencies(steadyPerSecond, effort.latencySeconds))
  const ofRawMs = latencyFigures(await raw.latencies(steadyPerSecond, effort.latencySeconds))
  return {
    ...name,
    turnEvents: events,
    leat: { ...rounds.figures("leat"), ...ofLeatMs },
    leatPublish: rounds.figures("publish"),
    raw: { ...rounds.figures("raw"), ...ofRawMs },
    rawWithoutHeaders: rounds.figures("bare"),
    naive: rounds.figures("naive"),
    toRaw: rounds.compare("leat", "raw"),
    timesNaive: Math.round(rounds.compare("leat", "naive").ratio),
    recordsCompared
  }
}

async function compareConsuming(
  { effort }: Bench,
  name: CaseName,
  { leat, raw, ofLeat }: Sides,
  events: number,
  deadlineMs: number
): Promise<ConsumingFigures> {
  await leat.produce("fill", events)
  let groups = 0
  const group = () => `${ofLeat.read}-${groups++}`
  const rounds = new Rounds({
    handle: () => leat.consume("handle", group(), events),
    handleBatch: () => leat.consume("handleBatch", group(), events),
    raw: () => raw.consume("best", group(), events)
  })
  await leat.consume("handle", group(), events)
  await leat.consume("handleBatch", group(), events)
  await raw.consume("best", group(), events)
  await rounds.run(effort.rounds, deadlineMs)
  return {
    ...name,
    turnEvents: events,
    handle: rounds.figures("handle"),
    handleBatch: rounds.figures("handleBatch"),
    raw: rounds.figures("raw"),
    handleToRaw: rounds.compare("handle", "raw"),
    handleBatchToRaw: rounds.compare("handleBatch", "raw")
  }
}
