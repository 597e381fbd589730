/** Two sinks that a stream moves between, without the leat around them: what is offered goes to the lanes of one leg, and then to those of the other. */
import { Context, Clock, Effect, Scheduler, type Scope } from "effect"
import { type Journal, MemoryBroker, memoryTransport, readMeta, type RecordMeta } from "leat"
import { type FaultPlan, faultTransport } from "leat/testing"
import { Ledger } from "../../src/ledger/Ledger.ts"
import type { Outlet } from "../../src/publish/Destinations.ts"
import { Publisher } from "../../src/publish/Publisher.ts"
import { Pumps } from "../../src/publish/Pumps.ts"
import { Sink, type SinkOptions } from "../../src/publish/Sink.ts"
import { TurnClock } from "../../src/publish/TurnClock.ts"
import { wireWriter } from "../../src/record/WireWriter.ts"
import type { Leg } from "../../src/routes/Route.ts"
import type { Policy } from "../../src/Policy.ts"
import { type Note, noteContract } from "../contracts/Note.ts"

const incarnation = Uint8Array.from({ length: 16 }, (_, index) => index + 1)

const again: Policy = [{ on: ["*"], retry: { baseMs: 10, jitter: 0 }, then: "halt" }]

export interface Side {
  readonly partitions: number
  readonly epoch: number
  readonly leg?: Partial<Leg>
  readonly faults?: FaultPlan
  readonly recordBytesMax?: number
  /** What is spilled goes there; undefined: nothing is. */
  readonly spill?: MemoryBroker
}

/** A record as it stands in the log. */
export interface Stored extends RecordMeta {
  readonly partition: number
  readonly key: string
  readonly text: string
  readonly brokerMs: number
}

export class Place {
  readonly name: string
  readonly broker: MemoryBroker
  readonly outlet: Outlet
  readonly sink: Sink

  constructor(name: string, broker: MemoryBroker, outlet: Outlet) {
    this.name = name
    this.broker = broker
    this.outlet = outlet
    this.sink = outlet.sink
  }

  /** By partition, and in each in order. */
  get log(): ReadonlyArray<Stored> {
    return this.broker.topic("notes").partitions.flatMap((log, partition) => {
      const found: Array<Stored> = []
      for (let batch = log.read(log.start, log.end); batch !== undefined; batch = log.read(batch.next, log.end))
        for (const { headers, key, value, timeMs } of batch.records) {
          const text = value === null ? "" : noteContract().decode(value).text
          const keyText = key === null ? "" : Buffer.from(key).toString()
          found.push({ ...readMeta(headers, "test.notes"), partition, key: keyText, text, brokerMs: timeMs })
        }
      return found
    })
  }

  get texts(): ReadonlyArray<string> {
    return this.log.filter(({ isMarker }) => !isMarker).map(({ text }) => text)
  }
}

export interface Pair {
  readonly ledger: Ledger
  readonly publisher: Publisher<Note>
  readonly places: ReadonlyArray<Place>
  /** Of another stream that goes to a place. */
  readonly another: (place: Place) => Publisher<Note>
}

const legOf = (cluster: string, { epoch, leg }: Side): Leg => ({
  path: "routes[0].to[0]",
  cluster,
  topic: "notes",
  sink: `${cluster}/notes`,
  destination: `${cluster}/notes`,
  required: true,
  canary: undefined,
  wire: "compact",
  policy: again,
  spill: undefined,
  breaker: undefined,
  fallback: undefined,
  bufferBytesMax: 1 << 20,
  overflow: "reject",
  lingerMs: 0,
  batchBytes: 4096,
  batchRecords: 8,
  timeoutMs: 1000,
  epoch,
  ...leg
})

/** Sinks, each on a cluster of its own; offers go to the first. They close with the scope. */
export const openPlaces = Effect.fnUntraced(function* (
  sides: ReadonlyArray<Side>,
  options: { readonly journal?: Journal; readonly drainMs?: number; readonly bytesMax?: number } = {}
): Effect.fn.Return<Pair, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const ledger = new Ledger(options.journal)
  const turnClock = new TurnClock(Context.get(context, Clock.Clock), Context.get(context, Scheduler.Scheduler))
  const pumps = new Pumps(context, turnClock, options.bytesMax)
  const contract = noteContract({ buckets: 12 })
  const places: Array<Place> = []
  for (const [index, side] of sides.entries()) {
    const broker = new MemoryBroker({
      partitions: side.partitions,
      ...(side.recordBytesMax === undefined ? {} : { recordBytesMax: side.recordBytesMax })
    })
    const leg = legOf("abc".charAt(index), side)
    const transport = faultTransport(memoryTransport(broker), side.faults ?? {})
    const { spill } = side
    const spillTo = (disk: MemoryBroker) => (): ReturnType<NonNullable<SinkOptions["spill"]>> => {
      const inner = memoryTransport(disk)
      const place = { transport: inner, topic: "spill", bytesMax: () => 1 << 20 }
      return Effect.map(inner.openWriter("spill"), (writer) => ({ ...place, writer }))
    }
    const sink = yield* Effect.orDie(
      Sink.open({
        ...(spill === undefined ? {} : { spill: spillTo(spill) }),
        leg,
        pump: pumps.of(transport),
        ledger,
        incarnation,
        compaction: undefined,
        drainMs: options.drainMs ?? 60_000,
        streams: new Set([contract.stream]),
        away: undefined
      })
    )
    const account = ledger.account(contract.stream, leg.sink, leg.epoch)
    const identity = { incarnation, source: "test", stream: contract.stream, type: contract.name, epoch: leg.epoch }
    const wire = wireWriter(leg.wire, identity)
    const buckets = { from: 0, to: contract.buckets }
    const outlet = {
      sink,
      lanes: sink.lanesOf(account),
      wire,
      account,
      isRequired: true,
      partitions: sink.partitions,
      buckets
    }
    places.push(new Place(leg.sink, broker, outlet))
  }
  const publisher = new Publisher(contract, destinationsOf(places[0]), ledger, turnClock)
  const another = ({ sink, outlet }: Place) => {
    const other = noteContract({ buckets: 12, stream: "test.others", name: "test.Other" })
    const account = ledger.account(other.stream, sink.leg.sink, 1)
    const outlets = [{ ...outlet, account, lanes: sink.lanesOf(account) }]
    return new Publisher(other, { outlets, closed: [], level: "stored", notDurable: undefined }, ledger, turnClock)
  }
  return { ledger, publisher, places, another }
})

export function destinationsOf(...places: ReadonlyArray<Place | undefined>) {
  const outlets = places.flatMap((place) => (place === undefined ? [] : [place.outlet]))
  return { outlets, closed: [], level: "stored" as const, notDurable: undefined }
}
