/**
 * What writers that were passed over have stored behind the end of their epoch, sent on to the newest one under its own ids. A record is sent
 * again until its outcome is known before the next of its bucket is: first deliveries stay in order, whoever begins anew after whom.
 */
import { Effect, Option, Scope, Stream } from "effect"
import type { Positions } from "../control/ControlRecord.ts"
import { markerOwner } from "../record/CompactHeader.ts"
import { readMeta } from "../record/Wire.ts"
import { openForwarder } from "../transport/Forwarder.ts"
import { leaving } from "../transport/endWithin.ts"
import type { ReceivedBatch, ReceivedRecord, Transport, TransportError } from "../transport/index.ts"
import { namesText } from "./awaited.ts"
import { inEpoch } from "../record/redress.ts"
import { answered, boundsIn, placeText } from "./Places.ts"
import type { DutyCalled, Means, Task } from "./Task.ts"
import { Trouble } from "./Trouble.ts"

type Sweep = Task<DutyCalled<"sweep">>

type Carried = Pick<Sweep, "stream" | "placement" | "duty">

/** Records after which it is noted how far they are: so many are sent again where a coordinator dies. */
const notedEvery = 256

/** Sweeps what there is now. Gives who has to say up to where it wrote: there may be more until then. */
export function sweep(task: Sweep, means: Means): Effect.Effect<string, Trouble> {
  return Effect.as(
    carry(task, means, (upTo) => noted(task, means, upTo)),
    standing(task)
  )
}

/** Sends on what there is now, and gives how many records that were; `note` is told how far it is, partition by partition. */
export function carry(
  task: Carried,
  means: Pick<Means, "places" | "onWaiting">,
  note: (upTo: Positions) => Effect.Effect<void, Trouble>
): Effect.Effect<number, Trouble> {
  const { duty } = task
  const { place, to } = duty
  return means.places.using(place.cluster, (source) =>
    means.places.using(to.place.cluster, (target) =>
      Effect.gen(function* () {
        const rows = yield* boundsIn(source, place)
        const scope = yield* Effect.scope
        const forwarder = yield* answered(
          Scope.provide(openForwarder(target, { topic: to.place.topic, partitions: to.place.partitions }), scope),
          `${placeText(to.place)} cannot be written`
        )
        if (forwarder.partitions < to.place.partitions)
          return yield* new Trouble({
            why: `${placeText(to.place)} has ${forwarder.partitions} partitions, and the control stream has it with ${to.place.partitions}`
          })
        let swept = duty.from
        let carried = 0
        for (const [partition, { end }] of rows.entries())
          while ((swept[partition] ?? end) < end) {
            const at = swept[partition] ?? end
            const { records, next } = yield* stretch(source, task, partition, at, end)
            yield* sent(task, means, forwarder.append, records)
            carried += records.length
            swept = swept.map((one, index) => (index === partition ? next : one))
            yield* note(swept)
          }
        return carried
      })
    )
  )
}

function standing({ duty: { owing, place } }: Sweep): string {
  if (owing.length === 0) return `${placeText(place)} is swept, and ends before what was written there`
  const who = owing.length === 1 ? "was passed over and has" : "were passed over and have"
  return `${namesText(owing)} ${who} not said up to where it wrote to ${placeText(place)}; give up who of them is dead`
}

interface Found {
  readonly record: ReceivedRecord
  readonly partition: number
}

/** The next records that are to be swept, and the position behind them. */
const stretch = Effect.fnUntraced(function* (
  source: Transport,
  task: Carried,
  partition: number,
  from: number,
  to: number
): Effect.fn.Return<{ readonly records: ReadonlyArray<Found>; readonly next: number }, Trouble> {
  const { topic } = task.duty.place
  const range = { fromPosition: BigInt(from), toPosition: BigInt(to) }
  const what = `${placeText(task.duty.place)} cannot be read`
  const head = yield* answered(
    Effect.suspend(() => Stream.runHead(source.read(topic, partition, range))),
    what
  )
  // Nothing stands there any more.
  if (Option.isNone(head)) return { records: [], next: to }
  const batch: ReceivedBatch = head.value
  const within = batch.records.filter(({ position }) => position >= from && position < to)
  const found = within.flatMap((record) => foundOf(task, record))
  const records = found.slice(0, notedEvery)
  const last = records.at(-1)
  const next = found.length > records.length && last !== undefined ? last.record.position + 1n : batch.next
  const position = Math.min(Number(next), to)
  if (!Number.isSafeInteger(position) || position <= from)
    return yield* new Trouble({ why: `${what}: it goes back from ${from} to ${position}, as its driver says` })
  return { records, next: position }
})

/** A record of a member that was passed over, and the partition that it goes to. */
function foundOf({ stream, placement, duty }: Carried, record: ReceivedRecord): ReadonlyArray<Found> {
  const { id, epoch, isMarker, isOtherStream, dropped } = readMeta(record.headers, stream)
  if (isOtherStream === true) return []
  const member = isMarker ? markerOwner(record.headers[0]?.[1])?.incarnation : id?.incarnation
  if (member === undefined || !duty.members.includes(member)) return []
  // Below the first epoch of the placement it is of that where it lies there; elsewhere it is of a mirror. Without one it counts as of where it lies.
  const first = placement.epochs[0]?.epoch ?? 0
  const isOfEpoch = epoch === undefined || epoch === duty.epoch || (epoch < first && duty.epoch === first)
  const bucket = id?.bucket ?? dropped[0]?.bucket
  if (!isOfEpoch || bucket === undefined) return []
  return [{ record, partition: bucket % duty.to.place.partitions }]
}

type Append = Effect.Success<ReturnType<typeof openForwarder>>["append"]

/** In order. One that is refused for good holds up those behind it: nothing of them may be lost. */
const sent = Effect.fnUntraced(function* (
  { duty }: Carried,
  { onWaiting }: Pick<Means, "onWaiting">,
  append: Append,
  records: ReadonlyArray<Found>
): Effect.fn.Return<void, Trouble> {
  const target = placeText(duty.to.place)
  for (const { record, partition } of records) {
    const { key, value, headers, timeMs } = record
    const plain = { key, value, headers: inEpoch(headers, duty.to.epoch), timeMs }
    const tellWaiting = ({ message }: TransportError) =>
      onWaiting(`what is swept is not stored in ${target}/${partition}: ${message}`)
    const [refusal] = yield* leaving(append(partition, [plain], tellWaiting))
    if (refusal !== undefined)
      return yield* new Trouble({
        why: `the record of ${placeText(duty.place)} at ${record.position} is refused by ${target}: ${refusal.message}`
      })
  }
})

const noted = ({ stream, duty }: Sweep, { control }: Means, upTo: Positions): Effect.Effect<void, Trouble> =>
  Effect.mapError(
    Effect.asVoid(control.write({ kind: "swept", stream, epoch: duty.epoch, upTo }, "coordinator")),
    ({ message }) => new Trouble({ why: message })
  )
