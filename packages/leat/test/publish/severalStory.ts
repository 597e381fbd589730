/** Stories of a stream with several fallbacks, on virtual time: places whose faults are swapped while the story runs, by their names. */
import { type Duration, Effect } from "effect"
import { type Journal, Leat, MemoryBroker, memoryDriver } from "leat"
import { type FaultPlan, faultDriver } from "leat/testing"
import { type Transport, TransportError } from "leat/transport"
import { fallbackTopic } from "../../src/record/fallbackTopic.ts"
import { noteContract } from "../contracts/Note.ts"
import { named, textsOf } from "./fallbackStory.ts"
import { changed, live } from "./spillStory.ts"

/** A cluster, what goes wrong there, and whether it answers no question. */
export interface Place {
  readonly broker: MemoryBroker
  faults: FaultPlan
  isSilent: boolean
}

/** The destination `far`, and its fallbacks. */
export interface SeveralPlaces {
  readonly far: Place
  readonly first: Place
  readonly second: Place
  readonly third: Place
  readonly partitions: number
}

export const severalPlaces = (partitions = 1): SeveralPlaces => {
  const place = (count: number): Place => ({
    broker: new MemoryBroker({ partitions: count }),
    faults: {},
    isSilent: false
  })
  return { far: place(partitions), first: place(1), second: place(1), third: place(1), partitions }
}

export type Name = Exclude<keyof SeveralPlaces, "partitions" | "far">

export interface SeveralSetting {
  /** In the order in which they are tried. */
  readonly names?: ReadonlyArray<Name>
  readonly back?: "redrive" | "stay"
  readonly policy?: ReadonlyArray<object>
  readonly leg?: object
  readonly journal?: Journal
  readonly drain?: Duration.Input
  /** Changes the transport of a place. */
  readonly change?: Partial<Record<Name | "far", (transport: Transport) => Partial<Transport>>>
  /** The document, where it is another one. */
  readonly routes?: object
}

const silent = new TransportError({ reason: "Unavailable", transport: "memory", operation: "ask", detail: "not there" })

/** The document of a leg with fallbacks of these names. */
export const severalRoutes = ({ names = ["first", "second"], back = "redrive", policy, leg }: SeveralSetting = {}) => ({
  version: 1,
  clusters: Object.fromEntries(["far", "first", "second", "third"].map((name) => [name, { transport: name }])),
  policies: {
    leg: policy ?? [
      { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
      { on: ["Rejected"], then: "drop" }
    ]
  },
  routes: [
    {
      match: { stream: "*" },
      level: "stored",
      to: [
        {
          cluster: "far",
          topic: "notes",
          policy: "leg",
          linger: "1 milli",
          timeout: "500 millis",
          fallback: names.map((cluster) => ({ cluster, back })),
          ...leg
        }
      ]
    }
  ]
})

export const openSeveral = Effect.fnUntraced(function* (places: SeveralPlaces, setting: SeveralSetting = {}) {
  const { change = {}, drain = "10 seconds", journal } = setting
  const driverOf = (name: Name | "far") => {
    const place = places[name]
    const faulty = faultDriver(
      memoryDriver(place.broker),
      live(() => place.faults)
    )
    const speaking = changed(faulty, (inner) => ({
      bounds: (...asked) => Effect.suspend(() => (place.isSilent ? Effect.fail(silent) : inner.bounds(...asked)))
    }))
    return named(name, changed(speaking, change[name] ?? (() => ({}))))
  }
  const leat = yield* Leat.make({
    source: "test",
    routes: setting.routes ?? severalRoutes(setting),
    drain,
    ...(journal === undefined ? {} : { journal }),
    drivers: (["far", "first", "second", "third"] as const).map(driverOf)
  })
  return { leat, notes: yield* leat.stream(noteContract()) }
})

/** The texts that stand in a place. */
export const standsIn = (places: SeveralPlaces, name: Name | "far"): ReadonlyArray<string> => {
  const topic = name === "far" ? "notes" : fallbackTopic({ cluster: "far", topic: "notes" }, places.partitions)
  return textsOf(places[name].broker, topic)
}
