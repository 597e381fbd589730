/**
 * `offer` to stored on the memory transport, beside a loop that only encodes the same events: what everything that leat does
 * with an event costs, as a ratio of one run.
 */
import { Buffer } from "node:buffer"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Effect, Exit, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import protobuf from "protobufjs/minimal.js"
import { type Cost, costOf, median, medianCost, round } from "./measure.ts"
import { sighting } from "./sighting.ts"

/** Events of one run of the loop. */
const events = 20_000
const rounds = 5

export interface PublishFigures {
  readonly encodeOnly: Cost
  readonly offerToStored: Cost
  /** The same with a waiter for every event: `publish` at level `queued`. */
  readonly publishQueued: Cost
  /** Counting one event in both accounts, as part of the time from `offer` to stored. */
  readonly ledgerShare: number
  /** Events/s from `offer` to stored, as part of those of the loop that only encodes. */
  readonly ratio: number
  readonly ratios: ReadonlyArray<number>
  /** Heap bytes per event beyond those of the codec. */
  readonly heapBytesBeyondCodec: number
}

function encodeOnly(all: ReadonlyArray<BeaconSighting>): () => void {
  const arena = Buffer.allocUnsafeSlow(256 * 1024)
  const writer = protobuf.Writer.create()
  Object.assign(writer, { buf: arena, pos: 0 })
  return () => {
    for (const event of all) {
      if (writer.pos > arena.length - 1024) writer.pos = 0
      BeaconSighting.encodeInto(event, writer)
    }
  }
}

const openStream = Effect.fnUntraced(function* () {
  // Little is kept, so that what is measured is the way to the broker and not a heap that grows.
  const driver = memoryDriver(new MemoryBroker({ retentionBytes: 4 * 1024 * 1024 }))
  const leat = yield* Leat.make({ source: "benchmark", drivers: [driver] })
  return { leat, stream: yield* leat.stream(BeaconSighting) }
})

/** Increments of one event in the ledger: offered, admitted twice, stored; through the lookups that the lanes make. */
function ledgerOnly(): () => void {
  const accounts = [{ admitted: 0, stored: 0 }]
  const stream = { offered: 0, admitted: 0 }
  const column = new Int32Array(4096)
  return () => {
    for (let index = 0; index < events; index++) {
      stream.offered++
      stream.admitted++
      const opened = accounts[column[index & 4095] ?? 0]
      if (opened !== undefined) opened.admitted++
      const ended = accounts[column[index & 4095] ?? 0]
      if (ended !== undefined) ended.stored++
    }
  }
}

export async function benchPublish(): Promise<PublishFigures> {
  const all = Array.from({ length: events }, (_, index) => sighting(index))
  const scope = Effect.runSync(Scope.make())
  const { leat, stream } = await Effect.runPromise(Scope.provide(openStream(), scope))
  const offer = async () => {
    for (const event of all) {
      if (!stream.offer(event).admitted) throw new Error("the benchmark's buffer is too small")
    }
    await Effect.runPromise(stream.flush)
  }
  const publish = async () => {
    await Effect.runPromise(
      Effect.forEach(all, (event) => stream.publish(event, { level: "queued" }), { discard: true })
    )
    await Effect.runPromise(stream.flush)
  }
  const encode = encodeOnly(all)
  const count = ledgerOnly()
  const costs: Record<"encode" | "offer" | "publish" | "ledger", Array<Cost>> = {
    encode: [],
    offer: [],
    publish: [],
    ledger: []
  }
  for (let turn = 0; turn < rounds; turn++) {
    costs.encode.push(await costOf(events, encode))
    costs.offer.push(await costOf(events, offer))
    costs.ledger.push(await costOf(events, count))
  }
  costs.publish.push(await costOf(events, publish))
  const { balanced } = leat.ledger.snapshot()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  if (!balanced) throw new Error("the ledger does not balance after the benchmark")
  const ratios = costs.offer.map((cost, turn) => cost.eventsPerSecond / (costs.encode[turn]?.eventsPerSecond ?? 1))
  const shares = costs.ledger.map((cost, turn) => (costs.offer[turn]?.eventsPerSecond ?? 0) / cost.eventsPerSecond)
  const [encoded, offered] = [medianCost(costs.encode), medianCost(costs.offer)]
  return {
    encodeOnly: encoded,
    offerToStored: offered,
    publishQueued: medianCost(costs.publish),
    ledgerShare: round(median(shares)),
    ratio: round(median(ratios)),
    ratios: ratios.map(round),
    heapBytesBeyondCodec: round(offered.heapBytesPerEvent - encoded.heapBytesPerEvent)
  }
}
