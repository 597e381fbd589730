/** The events of this comparison: those of the other benchmarks, the last field as long as the size of the value asks for. */
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import protobuf from "protobufjs/minimal.js"
import { sighting } from "../sighting.ts"

/** So many different events are published over and over. */
const events = 4000

export function eventsOf(valueBytes: number): ReadonlyArray<BeaconSighting> {
  return Array.from({ length: events }, (_, index) => {
    const event = sighting(index)
    const writer = protobuf.Writer.create()
    BeaconSighting.encodeInto(event, writer)
    return { ...event, inputRef: event.inputRef.padEnd(event.inputRef.length + valueBytes - writer.pos, "-") }
  })
}

/** One after the other, from the beginning again after the last. */
export class Feed {
  readonly #events: ReadonlyArray<BeaconSighting>
  #next = 0

  constructor(all: ReadonlyArray<BeaconSighting>) {
    this.#events = all
  }

  next(): BeaconSighting {
    if (this.#next === this.#events.length) this.#next = 0
    const event = this.#events[this.#next++]
    if (event === undefined) throw new Error("there are no events")
    return event
  }
}
