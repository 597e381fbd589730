/** Payloads that no encoder wrote, and events that no contract has. */
import { InvalidEvent, MalformedEvent } from "leat/codec"
import type { Contract } from "leat/contract"
import { printEvent } from "leat"
import protobuf from "protobufjs/minimal.js"
import { BeaconSighting } from "../../packages/demo/src/gen/risk/v1/beacon.ts"
import { LogLine } from "../../packages/demo/src/gen/risk/v1/log.ts"
import * as every from "../../packages/protoc-gen-leat/test/gen/test/v1/every.ts"
import { Kinds } from "../../packages/protoc-gen-leat/test/gen/test/v1/kinds.ts"
import { Person } from "../../packages/protoc-gen-leat/test/gen/test/v1/options.ts"
import { type Draw, mutateBytes, mutateValue, oneOf, upTo } from "./mutate.ts"
import { type Target, typed } from "./Target.ts"

/** A contract without its type, and payloads that it can read: those found on the way take the place of others. */
interface Subject {
  readonly contract: Contract<object>
  readonly payloads: Array<Uint8Array>
}

const kept = 200

const subjects: ReadonlyArray<Subject> = [
  subject(Kinds),
  subject(every.EverySingle),
  subject(every.EveryOptional),
  subject(every.EveryList),
  subject(every.EveryUnpacked),
  subject(every.EveryMap),
  subject(every.EveryCase),
  subject(every.EveryTime),
  subject(Person),
  subject(BeaconSighting),
  subject(LogLine)
]

/** Of all contracts one type: what one of them encodes here is what it has decoded itself. */
function subject<T extends object>(contract: Contract<T>): Subject {
  return { contract: contract as unknown as Contract<object>, payloads: [new Uint8Array(0)] }
}

/** A field as protobuf writes it, whatever the contract says of its number. */
function anyField(draw: Draw, depth = 0): Uint8Array {
  const wire = oneOf(draw, [0, 1, 2, 2, 2, 5])
  const writer = protobuf.Writer.create().uint32(((1 + upTo(draw, 40)) << 3) | wire)
  if (wire === 0) writer.int64(upTo(draw, 2 ** upTo(draw, 50)))
  else if (wire === 1) writer.double(draw() * 1e9)
  else if (wire === 5) writer.float(draw() * 1e9)
  else if (draw() < 0.5) writer.string("x".repeat(upTo(draw, 20)))
  else
    writer.bytes(depth > 3 ? new Uint8Array(2) : Buffer.concat([anyField(draw, depth + 1), anyField(draw, depth + 1)]))
  return writer.finish()
}

function drawPayload(draw: Draw, { payloads }: Subject): Uint8Array {
  const valid = oneOf(draw, payloads)
  const drawn = draw()
  if (drawn < 0.3) return Buffer.concat([valid.subarray(0, 2000), anyField(draw)])
  return mutateBytes(draw, valid, oneOf(draw, payloads))
}

const payloads: Target = {
  name: "payload",
  share: 600,
  give: (draw, given) => {
    const chosen = oneOf(draw, subjects)
    const { contract } = chosen
    const bytes = drawPayload(draw, chosen)
    given(bytes)
    let event: object
    try {
      event = contract.decode(bytes)
    } catch (error) {
      return typed(error, MalformedEvent)
    }
    if (bytes.length < 4000) keep(draw, chosen, bytes)
    printEvent(contract, event)
    return encoded(contract, event)
  }
}

function keep(draw: Draw, { payloads: own }: Subject, bytes: Uint8Array): void {
  if (own.length < kept) own.push(bytes)
  else own[upTo(draw, kept)] = bytes
}

function encoded(contract: Contract<object>, event: object): string {
  const writer = protobuf.Writer.create()
  try {
    contract.encodeInto(event, writer)
    writer.finish()
    return "a value"
  } catch (error) {
    return typed(error, InvalidEvent)
  }
}

const events: Target = {
  name: "event",
  share: 120,
  give: (draw, given) => {
    const chosen = oneOf(draw, subjects)
    const event = mutateValue(draw, chosen.contract.decode(oneOf(draw, chosen.payloads)))
    given(event)
    printEvent(chosen.contract, event)
    return encoded(chosen.contract, event as object)
  }
}

/** Payloads and events. */
export const payloadTargets: ReadonlyArray<Target> = [payloads, events]
