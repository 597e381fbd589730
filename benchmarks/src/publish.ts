/**
 * What everything that leat does with an event costs beside its codec: `offer` to stored on a transport that keeps nothing, less a loop that
 * only encodes the same events, in turns of one run. Beside it `publish`, and `offer` on the memory transport, which keeps a copy.
 */
import { Buffer } from "node:buffer"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Effect, Exit, Scope } from "effect"
import { type Driver, type EventStream, Leat, MemoryBroker, memoryDriver } from "leat"
import protobuf from "protobufjs/minimal.js"
import { keepingNothing } from "./keepingNothing.ts"
import { type Cost, costOf, median, medianCost, round } from "./measure.ts"
import { sighting } from "./sighting.ts"

/** Events of one run of the loop. */
const events = 20_000
const rounds = 5

export interface PublishFigures {
  readonly encodeOnly: Cost
  /** `offer` to stored on a transport that keeps nothing. */
  readonly offered: Cost
  /** The same through `publish` at level `queued`, one after the other: a fiber's step and a waiter for every event. */
  readonly published: Cost
  /** `offer` to stored on the memory transport. */
  readonly offeredToMemory: Cost
  /** Time of an event from `offer` to stored, less that of its codec, in nanoseconds; the median of the rounds, and each of them. */
  readonly beyondCodecNs: number
  readonly beyondCodecNsByRound: ReadonlyArray<number>
  /** Time of a `publish`, as a multiple of an `offer`. */
  readonly publishOfOffer: number
  /** Counting one event in both accounts, as part of the time from `offer` to stored. */
  readonly ledgerShare: number
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

const openStream = Effect.fnUntraced(function* (driver: Driver) {
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

async function offerAll(stream: EventStream<BeaconSighting>, all: ReadonlyArray<BeaconSighting>): Promise<void> {
  for (const event of all) if (!stream.offer(event).admitted) throw new Error("the benchmark's buffer is too small")
  await Effect.runPromise(stream.flush)
}

async function publishAll(stream: EventStream<BeaconSighting>, all: ReadonlyArray<BeaconSighting>): Promise<void> {
  const queued = { level: "queued" } as const
  await Effect.runPromise(Effect.forEach(all, (event) => stream.publish(event, queued), { discard: true }))
  await Effect.runPromise(stream.flush)
}

export async function benchPublish(): Promise<PublishFigures> {
  const all = Array.from({ length: events }, (_, index) => sighting(index))
  const scope = Effect.runSync(Scope.make())
  const opened = (driver: Driver) => Effect.runPromise(Scope.provide(openStream(driver), scope))
  const bare = await opened(keepingNothing())
  // Little is kept, so that what is measured is the way to the broker and not a heap that grows.
  const memory = await opened(memoryDriver(new MemoryBroker({ retentionBytes: 4 * 1024 * 1024 })))
  const ways = {
    encode: encodeOnly(all),
    offer: () => offerAll(bare.stream, all),
    publish: () => publishAll(bare.stream, all),
    memory: () => offerAll(memory.stream, all),
    ledger: ledgerOnly()
  }
  const costs: Record<keyof typeof ways, Array<Cost>> = { encode: [], offer: [], publish: [], memory: [], ledger: [] }
  for (let turn = 0; turn < rounds; turn++)
    for (const way of Object.keys(ways) as ReadonlyArray<keyof typeof ways>)
      costs[way].push(await costOf(events, ways[way]))
  const balanced = [bare.leat, memory.leat].every(({ ledger }) => ledger.snapshot().balanced)
  await Effect.runPromise(Scope.close(scope, Exit.void))
  if (!balanced) throw new Error("the ledger does not balance after the benchmark")
  const ns = (way: keyof typeof ways) => costs[way].map(({ eventsPerSecond }) => 1e9 / eventsPerSecond)
  const [encodeNs, offerNs, publishNs, ledgerNs] = [ns("encode"), ns("offer"), ns("publish"), ns("ledger")]
  const beyond = offerNs.map((one, turn) => Math.round(one - (encodeNs[turn] ?? 0)))
  return {
    encodeOnly: medianCost(costs.encode),
    offered: medianCost(costs.offer),
    published: medianCost(costs.publish),
    offeredToMemory: medianCost(costs.memory),
    beyondCodecNs: median(beyond),
    beyondCodecNsByRound: beyond,
    publishOfOffer: round(median(publishNs.map((one, turn) => one / (offerNs[turn] ?? 1)))),
    ledgerShare: round(median(ledgerNs.map((one, turn) => one / (offerNs[turn] ?? 1)))),
    heapBytesBeyondCodec: round(
      median(
        costs.offer.map(
          ({ heapBytesPerEvent }, turn) => heapBytesPerEvent - (costs.encode[turn]?.heapBytesPerEvent ?? 0)
        )
      )
    )
  }
}
