/** Looks at dead letters on their way: when each is stored, and of which leat one is being sent. */
import { Clock, Effect, Stream } from "effect"
import { readDeadLetter, undeliveredTopic } from "../../record/DeadLetter.ts"
import { formatEventId } from "../../record/EventId.ts"
import type { Header } from "../../record/Headers.ts"
import { readMeta } from "../../record/Wire.ts"
import type { Driver, OutgoingBatch, Run, Transport, Writer } from "../../transport/index.ts"
import { readMoved } from "../../record/movedRecord.ts"
import { type Chronicle, type MoveFact, moveName, placeName } from "../judge/Chronicle.ts"
import { isAsideTopic, letterTopicOf } from "./letterTopics.ts"
import type { WallClock } from "./WallClock.ts"
import type { World } from "./World.ts"
import { sinkOf } from "./worldRoutes.ts"

/** A driver that tells the chronicle what is really stored: to be put under one with faults. */
export function watchStored(driver: Driver, chronicle: Chronicle, wall: WallClock): Driver {
  return withWriters(driver, (writer, topic) => ({
    ...writer,
    send: (partition, batch, from, to, timeoutMs, answer) =>
      writer.send(partition, batch, from, to, timeoutMs, (runs) => {
        if (isAsideTopic(topic)) for (const run of runs) noteStored(chronicle, wall, batch, run)
        answer(runs)
      })
  }))
}

function noteStored(chronicle: Chronicle, wall: WallClock, batch: OutgoingBatch, { from, to, fate }: Run): void {
  if (fate !== "stored") return
  for (let index = from; index < to; index++) {
    const headers = batch.headers(index)
    const { topic, partition, position, group } = readDeadLetter(headers)?.letter ?? {}
    if (topic === undefined || partition === undefined || position === undefined || group === undefined) continue
    const moved = moveIn(headers)
    if (moved !== undefined) {
      const move = moveName(group, moved.origin, moved.moves)
      if (!chronicle.movesStored.has(move))
        chronicle.movesStored.set(move, { at: chronicle.tick(), wall: wall.wallTime })
      continue
    }
    const name = placeName(group, { topic, partition, position })
    if (!chronicle.lettersStored.has(name)) chronicle.lettersStored.set(name, chronicle.tick())
  }
}

/** How a record came into a retry topic; undefined where it does not say so. */
export function moveIn(headers: ReadonlyArray<Header>): MoveFact | undefined {
  const moved = readMoved(headers)
  const { topic, partition, position, atMs } = moved?.letter ?? {}
  if (moved === undefined || topic === undefined || partition === undefined || position === undefined) return undefined
  return { origin: { topic, partition, position }, moves: moved.moves, atMs: atMs ?? Number.NaN, dueMs: moved.dueMs }
}

/** A driver that keeps in `onWay` the partitions whose last dead letters are not stored yet: to be put over one with faults. */
export function watchSent(driver: Driver, onWay: Set<string>): Driver {
  const watched = withWriters(driver, (writer, topic) => ({
    ...writer,
    send: (partition, batch, from, to, timeoutMs, answer) => {
      const place = `${topic}/${partition}`
      const isLetter = isAsideTopic(topic) && readDeadLetter(batch.headers(from)) !== undefined
      if (isLetter) onWay.add(place)
      writer.send(partition, batch, from, to, timeoutMs, (runs) => {
        if (isLetter && runs.every(({ fate }) => fate === "stored")) onWay.delete(place)
        answer(runs)
      })
    }
  }))
  return withTransports(watched, (transport) => ({
    ...transport,
    subscribe: (asked) =>
      Stream.map(transport.subscribe(asked), (lane) => ({
        ...lane,
        // Whoever has it next begins anew.
        release: Effect.ensuring(
          lane.release,
          Effect.sync(() => {
            const letters = letterTopicOf(asked.topic, asked.group)
            for (const place of onWay)
              if (letterTopicOf(topicIn(place), asked.group) === letters && place.endsWith(`/${lane.partition}`))
                onWay.delete(place)
          })
        )
      }))
  }))
}

function topicIn(place: string): string {
  return place.slice(0, place.lastIndexOf("/"))
}

/**
 * A driver that tells the chronicle what was answered without a word of what became of it, or too late to be heard: to be put over one with
 * faults.
 */
export function watchDoubts(driver: Driver, chronicle: Chronicle, cluster: number, { streams }: World): Driver {
  const legs = streams.flatMap((stream) => stream.legs.map((leg) => ({ leg, stream: stream.stream })))
  const unanswered = (place: string, add: number) =>
    chronicle.unanswered.set(place, (chronicle.unanswered.get(place) ?? 0) + add)
  return withWriters(driver, (writer, topic, nowMs) => {
    const isLetter = topic.endsWith(undeliveredTopic(""))
    const found = legs.find(
      ({ leg }) => leg.cluster === cluster && (isLetter ? undeliveredTopic(leg.topic) : leg.topic) === topic
    )
    if (found === undefined) return writer
    const where = `${sinkOf(found.leg)}${isLetter ? undeliveredTopic("") : ""}`
    return {
      ...writer,
      send: (partition, batch, from, to, timeoutMs, answer) => {
        let isOpen = isLetter
        if (isOpen) unanswered(`${where}/${partition}`, 1)
        const sentAtMs = nowMs()
        writer.send(partition, batch, from, to, timeoutMs, (runs) => {
          if (isOpen) unanswered(`${where}/${partition}`, -1)
          isOpen = false
          for (const headers of unheard(batch, runs, nowMs() - sentAtMs >= timeoutMs)) {
            const { id } = readMeta(isLetter ? (readDeadLetter(headers)?.headers ?? []) : headers, found.stream)
            chronicle.doubt(`${where} ${id === undefined ? "no id" : formatEventId(id)}`)
          }
          answer(runs)
        })
      }
    }
  })
}

/** The headers of each record of which an answer says nothing, or of all of them where it comes too late. */
export function* unheard(
  batch: OutgoingBatch,
  runs: ReadonlyArray<Run>,
  isLate: boolean
): Iterable<ReadonlyArray<Header>> {
  for (const { from, to, fate } of runs) {
    if (fate !== "unknown" && !isLate) continue
    for (let index = from; index < to; index++) yield batch.headers(index)
  }
}

type Watched = (writer: Writer, topic: string, nowMs: () => number) => Writer

/** A driver whose writers are watched, each with the topic that it writes to, and a clock. */
export function withWriters(driver: Driver, watched: Watched): Driver {
  return withTransports(driver, (transport) => ({
    ...transport,
    openWriter: (topic) =>
      Effect.zipWith(transport.openWriter(topic), Clock.Clock, (writer, clock) =>
        watched(writer, topic, () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n))
      )
  }))
}

export function withTransports(driver: Driver, watched: (transport: Transport) => Transport): Driver {
  return { ...driver, open: (cluster, config, reread) => Effect.map(driver.open(cluster, config, reread), watched) }
}
